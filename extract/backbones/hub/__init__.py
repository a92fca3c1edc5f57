"""Networks of KerasHub: presets that it downloads, or folders of presets."""

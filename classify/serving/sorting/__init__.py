"""Images into folders by what was predicted, and back again.

`sorter` sorts and `undo` puts everything back. Both act on what `journal` has on disk; `names` and
`destinations` say where an image goes, and `actions` links, copies and moves.
"""

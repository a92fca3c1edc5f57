"""What a run leaves behind: its record, its folder, and the state of a stopped one."""

"""The interactive ``top``: the only room that knows textual. Imported when ``top`` goes live, never before."""

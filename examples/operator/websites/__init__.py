"""An operator for websites: a page, served by some pods, under a name that is listed for all to find."""

"""Many cases: a table of images and boxes segmented by several processes, resumable, each case on its own."""

"""The rows of the speed-test dashboards on InfluxDB: one module each, panels beside their Flux."""

NOTHING = "No data: is the runner up, and does its sink write to this bucket? `pegel status` on its host says it."
NOBODY = "No data: no test in this time, or none with a readable token."

NOW_DELAY = "2m"
"""The minute in progress is in the bucket, too, and would be drawn as a fall."""

SERVER = "${__field.labels.server}"
NAME = "${__field.labels.name}"
"""What a line is called: by a column of its group key."""

MEAN = "A point is the mean of its minutes; zoom in to see single ones. A gap is a time without any record."
SUM = "A point is the number per minute in its time; zoom in to see single minutes."

"""Which services answer, and what is wrong according to the alerts."""

from __future__ import annotations

from dashboards.columns import merged
from dashboards.model import Annotation, Level, Panel, Row
from dashboards.panels import promql, stat, state_timeline, table
from dashboards.services import curve

BORN = (
    'changes(process_start_time_seconds{job=~"prometheus|grafana|pushgateway"}[$__rate_interval]) > 0'
    " or resets(influxdb_uptime_seconds[$__rate_interval]) > 0"
)
STARTS = Annotation(name="Starts of a service", color="orange", target=promql(BORN), text="{{job}} was started")
CHANGES = Annotation(
    name="Changes of Prometheus' configuration",
    color="purple",
    target=promql(
        "changes(prometheus_config_last_reload_success_timestamp_seconds[$__rate_interval]) > 0"
        f" unless on (job, instance) ({BORN})"
    ),
    text="{{job}} took its configuration anew",
)
ANSWERS = [Level(None, "down", "red"), Level(1, "up", "green")]
NO_TARGETS = "No data: Prometheus scrapes nothing, or Grafana does not reach it."
FIRING = 'ALERTS{alertstate="firing", severity!="none"}'

UP = stat(
    title="Services",
    description="Whether Prometheus can fetch the metrics of each service.",
    targets=[promql('min by (job) (up{job=~"prometheus|influxdb|grafana|pushgateway"})', "{{job}}", instant=True)],
    unit="short",
    no_value=NO_TARGETS,
    names=True,
    words=True,
    width=12,
    levels=ANSWERS,
)
RUNNERS_UP = stat(
    title="Runners",
    description="Whether Prometheus can fetch the page of each runner.",
    targets=[promql('up{job="runner"}', "{{instance}}", instant=True)],
    unit="short",
    no_value="No runner is known to Prometheus.",
    names=True,
    words=True,
    width=6,
    levels=ANSWERS,
)
ALERTS_FIRING = stat(
    title="Alerts firing",
    description="How many of the alerts in stack/prometheus/rules fire now; Watchdog, which fires always, is not "
    "counted.",
    targets=[promql(f"count({FIRING}) or vector(0)", instant=True)],
    unit="short",
    no_value=NO_TARGETS,
    width=6,
    levels=[Level(None, "none", "green"), Level(1, "some", "red")],
)


LABELS = "server cdn_id source sink metric asn what endpoint status code runner"
ABOUT = ", ".join(f'"{name}"' for name in LABELS.split())
"""Labels that say what an alert is about; each has some of them."""
WHICH = f"""max by (severity, alertname, job, instance, about) (
  label_replace(label_join({FIRING}, "about", " ", {ABOUT}), "about", "$1", "about", " *(.*?) *")
)"""


def alerts_table(title: str, width: int, height: int) -> Panel:
    """What fires, where it says where."""
    return table(
        title=title,
        description="Alerts that fire now. docs/runbook.md has a heading for each: what it means and what to do.",
        targets=[promql(WHICH, table=True)],
        unit="string",
        no_value="No alert fires.",
        width=width,
        height=height,
        transformations=merged(
            {"severity": "Severity", "alertname": "Alert", "about": "What", "instance": "Where", "job": "Job"},
            [],
            hidden=("Value",),
        ),
    )


SERVICES = Row(
    "Services",
    [
        UP,
        RUNNERS_UP,
        ALERTS_FIRING,
        alerts_table("Which alerts fire?", 12, 9),
        state_timeline(
            title="When did they answer?",
            description="A gap is a time without Prometheus.",
            targets=[promql("min by (job, instance) (up)", "{{job}} {{instance}}")],
            unit="short",
            no_value=NO_TARGETS,
            words=True,
            levels=ANSWERS,
            width=12,
            height=9,
        ),
    ],
)
RESOURCES = Row(
    "What they take",
    [
        curve(
            "Memory by service",
            "Resident memory of each process that tells it. InfluxDB tells only what its Go runtime has taken.",
            "bytes",
            ('process_resident_memory_bytes{job=~"prometheus|grafana"}', "{{job}}"),
            ('go_memstats_sys_bytes{job="influxdb"}', "{{job}}"),
            ("pegel_runner_memory_bytes", "{{instance}}"),
        ),
        curve(
            "Time of a scrape",
            "How long each service takes to answer Prometheus; at 10 s it counts as down.",
            "s",
            ("max by (job, instance) (scrape_duration_seconds)", "{{job}} {{instance}}"),
        ),
        curve(
            "Room on the disks of the runners",
            "The volumes of the stack share a disk with the state of the runner in it, unless you moved one.",
            "bytes",
            ("pegel_runner_free_bytes", "{{instance}}"),
        ),
    ],
)

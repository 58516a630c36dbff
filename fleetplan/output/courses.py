"""Ways to a release that arrived while a rollout was running, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetplan.output.json_text import encode
from fleetplan.rollout.tally import Course


def courses_json(courses: tuple[Course, ...]) -> bytes:
    """`courses`: each with its `name`, what its plans come to (`added`, null where one does not exist), and then the `refusal`."""
    return encode({"version": 1, "courses": [_course(course) for course in courses]})


def _course(course: Course) -> Mapping[str, Any]:
    refusal = course.refusal
    told = {"target": refusal.target, "causes": refusal.causes, "remedies": refusal.remedies} if refusal is not None else None
    return {"name": course.name, "added": course.added, "refusal": told}

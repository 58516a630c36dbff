"""All about one guest as documents: what it is, and what becomes of it."""

from __future__ import annotations

from fleetplan.output.document import Document, Paragraph, Section
from fleetplan.output.views.explain import guest_document
from fleetplan.output.views.why import story_document
from fleetplan.rollout.why import Why
from fleetplan.tui.situation import Situation
from fleetplan.workflow import explain_guest, waiver_expires


def guest_documents(situation: Situation, name: str) -> tuple[Document, Document]:
    """What the guest is (birth, registers, promise, destinations), and its path through the plan. Many judgments: ask in a worker."""
    study = situation.study
    what = guest_document(explain_guest(study, name), waiver_expires(study), asked=False)
    if situation.plan is None:
        return what, Document((Section("Path", (Paragraph("There is no plan."),)),))
    story = Why(study.fleet, study.classes, situation.plan).guest(study.guest_index(name))
    return what, story_document(story)

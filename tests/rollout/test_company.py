"""Since when another host of the pool takes guests."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.rollout.company import company_since
from fleetplan.rollout.history import NEVER


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 2, NEVER])), max_size=9))
def test_company_is_the_first_other_host_of_the_pool(hosts: list[tuple[int, int]]) -> None:
    pool, since = (np.array([host[which] for host in hosts], np.int64) for which in (0, 1))
    others = [[when for other, (there, when) in enumerate(hosts) if there == pool and other != own] for own, (pool, _) in enumerate(hosts)]
    assert company_since(pool, since).tolist() == [min(each, default=NEVER) for each in others]

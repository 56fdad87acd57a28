"""Words that the prompt composer and a model driver must agree on.

Knows: markers inside a request. Must not know: what a person sees.
"""

from __future__ import annotations

# After a cut, the messages end with assistant{what was said} and user{a text that begins so}. A prefill
# (ending with the assistant) is a 400 on every model since 4.6 (`facts/model.md` section 2).
CONTINUE_PREFIX = "[Continue]"

# The last message of a call for a task begins so: the one that plans, one that works on a step; and before the results
# that the answer is composed of.
PLAN_PREFIX = "[Plan]"
STEP_PREFIX = "[Step]"
RESULTS_PREFIX = "[Results]"

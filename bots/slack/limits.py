"""Every number of Slack that this adapter rests on, with its reason (facts/slack.md sections 1.3, 2 and 5). Pure."""

from __future__ import annotations

# Sizes
ANSWER_MAX_CHARS = 12_000  # of one `markdown` block, and of one append
BLOCK_MAX_CHARS = 8_000  # of code or a table in the thread: two hundred lines, twice what stands before "See more"
UPDATE_MAX_CHARS = 4_000  # chat.update refuses more (a probe of others; verify live)
FALLBACK_MAX_CHARS = 1_500  # the text beside blocks: notifications and screen readers
SECTION_MAX_CHARS = 3_000
LABEL_MAX_CHARS = 75
TITLE_MAX_CHARS = 24  # of a modal
PLAN_TITLE_MAX_CHARS = 150  # the reference names none; what fits into one line of a collapsed plan
STEP_TITLE_MAX_CHARS = 200  # streamed task cards take 256
SESSION_TITLE_MAX_CHARS = 200
INPUT_MAX_CHARS = 3_000
MENU_MAX = 5  # options of an overflow menu
ROW_MAX = 25  # elements of an actions block
OPTIONS_MAX = 100
VIEW_BLOCKS_MAX = 100
FILE_CAP_BYTES = 20_000_000
BODY_MAX_BYTES = 1_000_000  # of a signed request; Slack's own are a few thousand

# Times
STREAM_ROTATE_S = 240.0  # a stream lives about 300 s from its start, whatever is appended
STREAM_BORDER_S = 30.0  # ... and for this long after that the end of a line is waited for
APPEND_EVERY_S = 1.0  # per stream
UPDATE_EVERY_S = 3.0  # Slack's own advice for chat.update
HEARTBEAT_S = 1_200.0  # "processing" falls back after an hour
CALL_S = 20.0  # a call that takes longer has an unclear outcome
CONNECT_S = 5.0
LOOK_UP_S = 0.7  # what an event may wait for a name before it is committed without one
ACK_S = 3.0
SIGNATURE_AGE_S = 300

# Calls a minute that progress may use; what is left of a tier is for what must arrive
APPENDS_A_MINUTE = 80  # tier 4 is 100
UPDATES_A_MINUTE = 25  # tier 3 is 50
STARTS_A_MINUTE = 17  # tier 2 is 20; above it an answer begins as an ordinary message
LOOKUPS_A_MINUTE = 80
READS_A_MINUTE = 45  # conversations.history and replies, tier 3

-- The first schema. One table per entity of core/domain/entities.py; columns are its fields (storage/rows.py).
-- Times are *_ms, wall-clock milliseconds since 1970 UTC. No foreign keys: storage/forget.py names every table.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Idempotency keys of deliveries, kept 30 days. No index on at_ms: housekeeping walks the key in slices,
-- so that every accept writes one tree and not two.
CREATE TABLE source (
    key TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ids that were forgotten and must not come back with a backup.
CREATE TABLE tombstone (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    key TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_identity ON person (identity);

-- num: the short name of the session inside message.id.
CREATE TABLE session (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    home TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    phase TEXT NOT NULL,
    title TEXT NOT NULL,
    last_human_ms INTEGER NOT NULL,
    idle_epoch INTEGER NOT NULL,
    due_ms INTEGER,
    next_seq INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    exchanges INTEGER NOT NULL,
    fresh_from_seq INTEGER NOT NULL,
    level TEXT NOT NULL,
    recovered_ms INTEGER,
    audience TEXT NOT NULL,
    crowded INTEGER NOT NULL,
    keep_until_ms INTEGER,
    summary_id TEXT NOT NULL,
    unsaid TEXT NOT NULL,
    asked_back INTEGER NOT NULL,
    retention_told_ms INTEGER,
    code_until_ms INTEGER,
    retention_told_up_ms INTEGER,
    language TEXT NOT NULL,
    tools TEXT NOT NULL
) STRICT;
CREATE INDEX session_owner ON session (owner);
CREATE INDEX session_tools ON session (tools) WHERE tools <> '';
CREATE INDEX session_due ON session (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE binding (
    key TEXT PRIMARY KEY,
    session_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX binding_session ON binding (session_id);

-- Append-only but for an answer that goes on. id = session.num << 24 | seq: a range is a conversation, in its order.
-- Rows lie in the order of arrival (n), not in that of id: a crowd then fills one page after the other instead of
-- splitting one for each conversation: it writes half as much, and reads the last twenty in 50 us, not 35.
CREATE TABLE message (
    n INTEGER PRIMARY KEY,
    id INTEGER NOT NULL UNIQUE,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    author TEXT NOT NULL,
    blocks TEXT NOT NULL,
    prefix TEXT NOT NULL,
    ref TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    turn_id TEXT NOT NULL,
    note TEXT NOT NULL,
    files TEXT NOT NULL
) STRICT;
CREATE INDEX message_heard ON message (author) WHERE role = 'heard';

-- n: the order of arrival.
CREATE TABLE waiting (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL,
    author TEXT NOT NULL,
    asker TEXT NOT NULL,
    text TEXT NOT NULL,
    ref TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    held INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    said_at TEXT NOT NULL,
    files TEXT NOT NULL
) STRICT;
CREATE INDEX waiting_session ON waiting (session_id);
CREATE INDEX waiting_held ON waiting (session_id) WHERE held = 1;

CREATE TABLE turn (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    asker TEXT NOT NULL,
    place TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    level TEXT NOT NULL,
    said TEXT NOT NULL,
    stitched INTEGER NOT NULL,
    stripped INTEGER NOT NULL,
    continued INTEGER NOT NULL,
    failure TEXT NOT NULL,
    stalls INTEGER NOT NULL,
    waiting_since_ms INTEGER,
    retry_ms INTEGER,
    told_waiting INTEGER NOT NULL,
    answer_seq INTEGER,
    model TEXT NOT NULL,
    finish_note TEXT NOT NULL,
    before TEXT NOT NULL,
    rounds INTEGER NOT NULL,
    round_tokens INTEGER NOT NULL,
    activity TEXT NOT NULL,
    awaits_since_ms INTEGER,
    step_id TEXT NOT NULL,
    cost INTEGER NOT NULL,
    task_id TEXT NOT NULL
) STRICT;
CREATE INDEX turn_session ON turn (session_id, asker);
CREATE UNIQUE INDEX turn_open ON turn (session_id) WHERE state IN ('open', 'stopping') AND step_id = '';
CREATE INDEX turn_step ON turn (session_id) WHERE state IN ('open', 'stopping') AND step_id <> '';
CREATE INDEX turn_refused ON turn (session_id) WHERE failure = 'model_refusal';

CREATE TABLE part (
    turn_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    ref TEXT NOT NULL,
    start INTEGER NOT NULL,
    confirmed_chars INTEGER NOT NULL,
    final INTEGER NOT NULL,
    PRIMARY KEY (turn_id, n)
) STRICT, WITHOUT ROWID;

-- Appended text of running model calls; deleted with the strike-off of the effect.
CREATE TABLE draft (
    effect_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (effect_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE file_copy (
    file_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    media_type TEXT NOT NULL,
    data TEXT NOT NULL,
    problem TEXT NOT NULL
) STRICT;
CREATE INDEX file_copy_session ON file_copy (session_id);

CREATE TABLE card (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    text TEXT NOT NULL,
    buttons TEXT NOT NULL,
    wanted_version INTEGER NOT NULL,
    shown_version INTEGER NOT NULL,
    ref TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    recipient TEXT,
    outline TEXT
) STRICT;
CREATE UNIQUE INDEX card_key ON card (session_id, key);

CREATE TABLE spend (
    account TEXT NOT NULL,
    day TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;

-- n: the order of creation, which order_key obeys. kind: class name of the effect. ripe_ms: when it may start, for
-- a fair order between new effects and repeats. The partial indexes hold open effects only and stay small.
CREATE TABLE effect (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL,
    effect TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    boot TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    faults INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    deadline_ms INTEGER,
    order_key TEXT NOT NULL,
    waits TEXT NOT NULL,
    failure TEXT NOT NULL,
    kind TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    ripe_ms INTEGER NOT NULL AS (max(created_ms, not_before_ms)) VIRTUAL
) STRICT;
CREATE INDEX effect_session ON effect (session_id, state);
CREATE INDEX effect_pending ON effect (kind, ripe_ms, not_before_ms) WHERE state = 'pending';
CREATE INDEX effect_started ON effect (boot) WHERE state = 'started';
CREATE INDEX effect_order ON effect (order_key) WHERE state IN ('pending', 'started') AND order_key <> '';

CREATE TABLE summary (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    goal TEXT NOT NULL,
    done TEXT NOT NULL,
    last TEXT NOT NULL,
    next TEXT NOT NULL,
    facts TEXT NOT NULL,
    correction TEXT NOT NULL,
    by TEXT NOT NULL,
    tokens INTEGER NOT NULL
) STRICT;
CREATE INDEX summary_session ON summary (session_id, to_seq);

-- digest: under what the ticket's code is looked up (core/domain/codes.py). The code itself is on no disk.
CREATE TABLE ticket (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    issued_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    private INTEGER NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ticket_live ON ticket (session_id, private) WHERE state = 'live';
CREATE INDEX ticket_owner ON ticket (owner) WHERE state = 'live';

CREATE TABLE move_claim (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    claimant TEXT NOT NULL,
    claimant_name TEXT NOT NULL,
    identity TEXT NOT NULL,
    dest TEXT NOT NULL,
    audience TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    ask_owner INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX move_claim_session ON move_claim (session_id, state);
CREATE INDEX move_claim_claimant ON move_claim (claimant);

CREATE TABLE link (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    account TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    origin TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    undone_ms INTEGER
) STRICT;
CREATE INDEX link_session ON link (session_id);
CREATE INDEX link_account ON link (account);

-- What a link brought under another identity, so that undoing it gives exactly that back. kind: session, person.
CREATE TABLE adopted (
    link_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (link_id, kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE preference (
    identity TEXT PRIMARY KEY,
    notices TEXT NOT NULL,
    muted TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- last_ms: of the last wrong code, so that housekeeping finds what has had its time.
CREATE TABLE guesses (
    key TEXT PRIMARY KEY,
    times_ms TEXT NOT NULL,
    last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX guesses_last ON guesses (last_ms);

-- The tool loop: a model call that asked for tools, and its calls. "round" is a function's name in SQL, hence the table's.
CREATE TABLE tool_round (
    turn_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    text TEXT NOT NULL,
    blocks TEXT NOT NULL,
    prefix TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (turn_id, n)
) STRICT;
CREATE INDEX tool_round_session ON tool_round (session_id);

CREATE TABLE tool_call (
    id TEXT PRIMARY KEY,
    turn_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    round INTEGER NOT NULL,
    n INTEGER NOT NULL,
    use_id TEXT NOT NULL,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    input TEXT NOT NULL,
    asker TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    approved INTEGER NOT NULL,
    result TEXT NOT NULL,
    is_error INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    failure TEXT NOT NULL,
    hidden INTEGER NOT NULL
) STRICT;
CREATE INDEX tool_call_turn ON tool_call (turn_id, round, n);
CREATE INDEX tool_call_session ON tool_call (session_id);
CREATE INDEX tool_call_sign_in ON tool_call (session_id) WHERE state = 'sign_in';

CREATE TABLE tool_list (
    digest TEXT PRIMARY KEY,
    tools TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE permit (
    session_id TEXT NOT NULL,
    account TEXT NOT NULL,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (session_id, account, server, tool)
) STRICT, WITHOUT ROWID;

-- Logins at tool servers. sealed: AES-256-GCM, bound to owner, server and key id; the keys are not in here.
CREATE TABLE credential (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    server TEXT NOT NULL,
    sealed TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_ms INTEGER,
    renewable INTEGER NOT NULL,
    scopes TEXT NOT NULL,
    account TEXT NOT NULL,
    issuer TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX credential_owner ON credential (owner, server) WHERE status IN ('ok', 'needs_login');
CREATE INDEX credential_account ON credential (server, account COLLATE NOCASE) WHERE account <> '';
CREATE INDEX credential_expires ON credential (expires_ms) WHERE status = 'ok' AND renewable = 1;

CREATE TABLE login (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    asker TEXT NOT NULL,
    session_id TEXT NOT NULL,
    server TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    link TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    browser TEXT NOT NULL,
    sealed TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    failure TEXT NOT NULL
) STRICT;
CREATE INDEX login_owner ON login (owner, server);
CREATE INDEX login_session ON login (session_id);
CREATE UNIQUE INDEX login_link ON login (link) WHERE link <> '';

-- What the program is to an authorization server that it has registered at, sealed.
CREATE TABLE oauth_client (
    key TEXT PRIMARY KEY,
    sealed TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Long tasks. A step's work is a turn of its own (turn.step_id); the partial indexes hold open tasks only.
CREATE TABLE task (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    asker TEXT NOT NULL,
    author TEXT NOT NULL,
    goal TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    form INTEGER NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    wish TEXT NOT NULL,
    repairs INTEGER NOT NULL,
    turn_id TEXT NOT NULL,
    cost INTEGER NOT NULL,
    paused_ms INTEGER,
    started_ms INTEGER,
    ended_ms INTEGER
) STRICT;
CREATE INDEX task_session ON task (session_id, state);
CREATE INDEX task_busy ON task (asker) WHERE state IN ('planning', 'running', 'composing');

CREATE TABLE step (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    title TEXT NOT NULL,
    instruction TEXT NOT NULL,
    tools TEXT NOT NULL,
    depends TEXT NOT NULL,
    state TEXT NOT NULL,
    form INTEGER NOT NULL,
    turn_id TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    result TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    failure TEXT NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER
) STRICT;
CREATE INDEX step_task ON step (task_id, n);
CREATE INDEX step_session ON step (session_id);

-- The built-in web chat's own board, which stands for a platform's server.
CREATE TABLE board_post (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,
    place TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    buttons TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    mark TEXT NOT NULL,
    files TEXT NOT NULL,
    card INTEGER NOT NULL,
    outline TEXT
) STRICT;
CREATE INDEX board_post_place ON board_post (place, n);
CREATE INDEX board_post_untaken ON board_post (n) WHERE taken = 0;

CREATE TABLE board_thread (
    place TEXT PRIMARY KEY,
    workspace TEXT NOT NULL,
    title TEXT NOT NULL,
    last_ms INTEGER NOT NULL,
    last_n INTEGER NOT NULL,
    opener TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX board_thread_latest ON board_thread (workspace, last_n);

CREATE TABLE board_file (
    file_id TEXT PRIMARY KEY,
    post_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    media_type TEXT NOT NULL,
    data TEXT NOT NULL,
    problem TEXT NOT NULL
) STRICT;
CREATE INDEX board_file_post ON board_file (post_id);

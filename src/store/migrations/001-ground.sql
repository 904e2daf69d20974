-- The ground: who there is, what was seen, what was done about it.
-- Ids that travel are UUIDv7 text. Times are nanoseconds since 1970 UTC. Lists in a cell are separated by blanks.
-- What is NULL is not known; an empty text is known to be empty.

CREATE TABLE organisation (
	id TEXT NOT NULL PRIMARY KEY,
	code TEXT NOT NULL UNIQUE,
	parent_id TEXT REFERENCES organisation (id),
	name TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('authority', 'agency', 'telecom', 'provider')),
	domains TEXT NOT NULL,
	networks TEXT NOT NULL,
	created_ns INTEGER NOT NULL,
	changed_ns INTEGER NOT NULL
);

CREATE TABLE contact (
	id TEXT NOT NULL PRIMARY KEY,
	organisation_id TEXT NOT NULL REFERENCES organisation (id),
	name TEXT NOT NULL,
	role TEXT NOT NULL CHECK (role IN ('duty', 'lead', 'technical', 'leader')),
	email TEXT NOT NULL,
	phone TEXT NOT NULL,
	hours TEXT NOT NULL,
	language TEXT NOT NULL CHECK (language IN ('vi', 'en')),
	verified_ns INTEGER,
	created_ns INTEGER NOT NULL,
	changed_ns INTEGER NOT NULL,
	UNIQUE (organisation_id, email, role)
);

CREATE TABLE system (
	id TEXT NOT NULL PRIMARY KEY,
	organisation_id TEXT NOT NULL REFERENCES organisation (id),
	code TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 5),
	owner TEXT NOT NULL,
	operator TEXT NOT NULL,
	monitored_by TEXT NOT NULL,
	created_ns INTEGER NOT NULL,
	changed_ns INTEGER NOT NULL
);

CREATE INDEX system_organisation ON system (organisation_id);

-- name_key is the folded name: the key by which a host in a log is looked up.
CREATE TABLE asset (
	id TEXT NOT NULL PRIMARY KEY,
	system_id TEXT NOT NULL REFERENCES system (id),
	name TEXT NOT NULL,
	name_key TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('host', 'device', 'application')),
	addresses TEXT NOT NULL,
	criticality TEXT NOT NULL CHECK (criticality IN ('low', 'medium', 'high')),
	exposed INTEGER NOT NULL CHECK (exposed IN (0, 1)),
	created_ns INTEGER NOT NULL,
	changed_ns INTEGER NOT NULL,
	UNIQUE (system_id, name_key)
);

-- The token itself is never stored: hash is the SHA-256 of it, start its first characters, to tell it by.
CREATE TABLE token (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	hash TEXT NOT NULL UNIQUE,
	start TEXT NOT NULL,
	scope TEXT NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
	created_ns INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires_ns INTEGER,
	last_used_ns INTEGER,
	revoked_ns INTEGER
);

CREATE TABLE input (
	name TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	events INTEGER NOT NULL,
	lines INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	last_event_ns INTEGER,
	last_batch_ns INTEGER NOT NULL
);

CREATE TABLE input_reject (
	input TEXT NOT NULL REFERENCES input (name),
	reason TEXT NOT NULL,
	count INTEGER NOT NULL,
	sample TEXT,
	sample_ns INTEGER,
	PRIMARY KEY (input, reason)
);

-- How far a followed file was read; the head's hash tells a rotated file from a re-used inode.
CREATE TABLE input_file (
	input TEXT NOT NULL REFERENCES input (name),
	dev INTEGER NOT NULL,
	ino INTEGER NOT NULL,
	path TEXT NOT NULL,
	head_len INTEGER NOT NULL,
	head_hash TEXT NOT NULL,
	position INTEGER NOT NULL,
	lines INTEGER NOT NULL,
	changed_ns INTEGER NOT NULL,
	PRIMARY KEY (input, dev, ino)
);

-- Batches already applied, so that a repeated one changes nothing.
CREATE TABLE batch (
	boot TEXT NOT NULL,
	seq INTEGER NOT NULL,
	applied_ns INTEGER NOT NULL,
	PRIMARY KEY (boot, seq)
);

CREATE INDEX batch_applied ON batch (applied_ns);

-- group_key is the hash of rule, entity and organisation; opened_ns and seen_ns are the desk's clock and make
-- the window, first_ns and last_ns are the events' own times.
CREATE TABLE finding (
	id TEXT NOT NULL PRIMARY KEY,
	group_key TEXT NOT NULL,
	rule_id TEXT NOT NULL,
	rule_title TEXT NOT NULL,
	rule_level TEXT NOT NULL,
	rule_author TEXT NOT NULL,
	rule_license TEXT NOT NULL,
	rule_version TEXT NOT NULL,
	rule_file TEXT NOT NULL,
	tags TEXT NOT NULL,
	entity TEXT NOT NULL,
	host TEXT NOT NULL,
	address TEXT NOT NULL,
	input TEXT NOT NULL,
	organisation_id TEXT REFERENCES organisation (id),
	system_id TEXT REFERENCES system (id),
	asset_id TEXT REFERENCES asset (id),
	count INTEGER NOT NULL,
	n_evidence INTEGER NOT NULL,
	first_ns INTEGER NOT NULL,
	last_ns INTEGER NOT NULL,
	opened_ns INTEGER NOT NULL,
	seen_ns INTEGER NOT NULL,
	muted_count INTEGER NOT NULL
);

CREATE INDEX finding_group ON finding (group_key, seen_ns);

CREATE INDEX finding_level ON finding (rule_level);

CREATE INDEX finding_rule ON finding (rule_id);

CREATE INDEX finding_entity ON finding (entity);

CREATE TABLE finding_evidence (
	finding_id TEXT NOT NULL REFERENCES finding (id),
	slot INTEGER NOT NULL,
	n INTEGER NOT NULL,
	time_ns INTEGER NOT NULL,
	line TEXT NOT NULL,
	matched TEXT NOT NULL,
	PRIMARY KEY (finding_id, slot)
);

CREATE TABLE counter (
	name TEXT NOT NULL PRIMARY KEY,
	value INTEGER NOT NULL
);

CREATE TABLE incident (
	id TEXT NOT NULL PRIMARY KEY,
	number TEXT NOT NULL UNIQUE,
	code TEXT NOT NULL,
	title TEXT NOT NULL,
	entity TEXT NOT NULL,
	organisation_id TEXT REFERENCES organisation (id),
	system_id TEXT REFERENCES system (id),
	asset_id TEXT REFERENCES asset (id),
	severity TEXT NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
	state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'contained', 'closed')),
	owner TEXT NOT NULL,
	t0_ns INTEGER NOT NULL,
	opened_ns INTEGER NOT NULL,
	acknowledged_ns INTEGER,
	contained_ns INTEGER,
	closed_ns INTEGER,
	close_reason TEXT,
	reminders INTEGER NOT NULL,
	escalations INTEGER NOT NULL,
	remind_ns INTEGER,
	mailed_ns INTEGER,
	n_events INTEGER NOT NULL
);

CREATE INDEX incident_entity ON incident (entity, state);

CREATE INDEX incident_remind ON incident (remind_ns);

CREATE TABLE incident_finding (
	finding_id TEXT NOT NULL PRIMARY KEY REFERENCES finding (id),
	incident_id TEXT NOT NULL REFERENCES incident (id),
	linked_ns INTEGER NOT NULL
);

CREATE INDEX incident_finding_incident ON incident_finding (incident_id);

CREATE TABLE incident_event (
	incident_id TEXT NOT NULL REFERENCES incident (id),
	n INTEGER NOT NULL,
	at_ns INTEGER NOT NULL,
	kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (incident_id, n)
);

-- A NULL rule, entity or organisation means any; not all three may be NULL.
CREATE TABLE mute (
	id TEXT NOT NULL PRIMARY KEY,
	rule_id TEXT,
	entity TEXT,
	organisation_id TEXT REFERENCES organisation (id),
	reason TEXT NOT NULL,
	created_ns INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires_ns INTEGER NOT NULL,
	ended_ns INTEGER,
	CHECK (rule_id IS NOT NULL OR entity IS NOT NULL OR organisation_id IS NOT NULL)
);

CREATE TABLE rule_state (
	rule_id TEXT NOT NULL PRIMARY KEY,
	disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
	reason TEXT NOT NULL,
	changed_ns INTEGER NOT NULL,
	changed_by TEXT NOT NULL
);

CREATE TABLE rule_exception (
	id TEXT NOT NULL PRIMARY KEY,
	title TEXT NOT NULL,
	document TEXT NOT NULL,
	created_ns INTEGER NOT NULL,
	created_by TEXT NOT NULL
);

CREATE TABLE outbox (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	reason TEXT NOT NULL,
	incident_id TEXT REFERENCES incident (id),
	recipient TEXT NOT NULL,
	subject TEXT NOT NULL,
	body TEXT NOT NULL,
	state TEXT NOT NULL
		CHECK (state IN ('queued', 'sending', 'committing', 'sent', 'failed', 'expired', 'uncertain', 'cancelled')),
	attempts INTEGER NOT NULL,
	created_ns INTEGER NOT NULL,
	next_ns INTEGER NOT NULL,
	expires_ns INTEGER NOT NULL,
	done_ns INTEGER,
	last_error TEXT NOT NULL
);

CREATE INDEX outbox_due ON outbox (state, next_ns);

CREATE INDEX outbox_incident ON outbox (incident_id);

-- before and after are canonical JSON; hash is the SHA-256 of the record, the previous record's hash included.
CREATE TABLE audit (
	n INTEGER NOT NULL PRIMARY KEY,
	at_ns INTEGER NOT NULL,
	actor TEXT NOT NULL,
	source TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	before TEXT NOT NULL,
	after TEXT NOT NULL,
	prev TEXT NOT NULL,
	hash TEXT NOT NULL
);

-- The end of the chain, kept apart so that a cut-off tail is seen.
CREATE TABLE audit_head (
	id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	n INTEGER NOT NULL,
	hash TEXT NOT NULL
);

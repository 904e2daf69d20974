/* SPDX-License-Identifier: Apache-2.0
 * commands.c - the table of all commands. */
#include "cli/cli.h"
#include "cli/sigma.h"

#define COLUMNS(name, ...) static const struct cli_column name[] = {__VA_ARGS__, {0}}
#define OPTIONS(name, ...) static const struct cli_option name[] = {__VA_ARGS__, {0}}

/* clang-format off */
COLUMNS(organisation_columns, {"code", M_COL_CODE}, {"name", M_COL_NAME}, {"kind", M_COL_KIND}, {"parent", M_COL_PARENT}, {"domains", M_COL_DOMAINS}, {"networks", M_COL_NETWORKS});
COLUMNS(contact_columns, {"organisation", M_COL_ORGANISATION}, {"name", M_COL_NAME}, {"role", M_COL_ROLE}, {"email", M_COL_EMAIL}, {"phone", M_COL_PHONE}, {"hours", M_COL_HOURS});
COLUMNS(system_columns, {"code", M_COL_CODE}, {"name", M_COL_NAME}, {"organisation", M_COL_ORGANISATION}, {"level", M_COL_LEVEL}, {"operator", M_COL_OPERATOR}, {"monitored_by", M_COL_MONITORED_BY});
COLUMNS(asset_columns, {"name", M_COL_NAME}, {"system", M_COL_SYSTEM}, {"kind", M_COL_KIND}, {"addresses", M_COL_ADDRESSES}, {"criticality", M_COL_CRITICALITY}, {"exposed", M_COL_EXPOSED});
COLUMNS(finding_columns, {"id", M_COL_ID}, {"rule_level", M_COL_LEVEL}, {"rule_title", M_COL_RULE}, {"entity", M_COL_ENTITY}, {"organisation", M_COL_ORGANISATION}, {"count", M_COL_COUNT}, {"last", M_COL_LAST_SEEN}, {"incident", M_COL_INCIDENT});
COLUMNS(incident_columns, {"number", M_COL_NUMBER}, {"severity", M_COL_SEVERITY}, {"state", M_COL_STATE}, {"title", M_COL_TITLE}, {"entity", M_COL_ENTITY}, {"organisation", M_COL_ORGANISATION}, {"owner", M_COL_OWNER}, {"t0", M_COL_T0});
COLUMNS(mute_columns, {"id", M_COL_ID}, {"rule", M_COL_RULE}, {"entity", M_COL_ENTITY}, {"organisation", M_COL_ORGANISATION}, {"reason", M_COL_REASON}, {"expires", M_COL_EXPIRES});
COLUMNS(rule_columns, {"id", M_COL_ID}, {"title", M_COL_TITLE}, {"level", M_COL_LEVEL}, {"count", M_COL_COUNT}, {"disabled", M_COL_DISABLED}, {"reason", M_COL_REASON}, {"changed_by", M_COL_WHO}, {"changed", M_COL_WHEN});
COLUMNS(exception_columns, {"id", M_COL_ID}, {"title", M_COL_TITLE}, {"created_by", M_COL_WHO}, {"created", M_COL_WHEN});
COLUMNS(outbox_columns, {"id", M_COL_ID}, {"state", M_COL_STATE}, {"recipient", M_COL_TO}, {"subject", M_COL_SUBJECT}, {"attempts", M_COL_ATTEMPTS}, {"last_error", M_COL_ERROR});
COLUMNS(token_columns, {"id", M_COL_ID}, {"name", M_COL_NAME}, {"start", M_COL_START}, {"scope", M_COL_SCOPE}, {"expires", M_COL_EXPIRES}, {"last_used", M_COL_LAST_USED});
COLUMNS(audit_columns, {"n", M_COL_NUMBER}, {"at", M_COL_WHEN}, {"actor", M_COL_WHO}, {"source", M_COL_FROM}, {"action", M_COL_ACTION}, {"object", M_COL_OBJECT});

OPTIONS(list_options, {"limit", CLI_NUMBER, "N", M_OPT_LIMIT}, {"cursor", CLI_TEXT, "CURSOR", M_OPT_CURSOR});
OPTIONS(incident_list_options, {"state", CLI_TEXT, "STATE", M_OPT_STATE}, {"limit", CLI_NUMBER, "N", M_OPT_LIMIT}, {"cursor", CLI_TEXT, "CURSOR", M_OPT_CURSOR});
OPTIONS(ack_options, {"code", CLI_TEXT, "CODE", M_OPT_CODE});
OPTIONS(mute_options, {"rule", CLI_TEXT, "ID", M_OPT_MUTE_RULE}, {"entity", CLI_TEXT, "ENTITY", M_OPT_MUTE_ENTITY}, {"organisation", CLI_TEXT, "CODE", M_OPT_MUTE_ORGANISATION}, {"expires", CLI_TEXT, "TIME", M_OPT_EXPIRES}, {"reason", CLI_TEXT, "TEXT", M_OPT_REASON});
OPTIONS(reason_options, {"reason", CLI_TEXT, "TEXT", M_OPT_REASON});
OPTIONS(token_options, {"scope", CLI_TEXT, "SCOPE", M_OPT_SCOPE}, {"expires", CLI_TEXT, "TIME", M_OPT_EXPIRES});
OPTIONS(defaults_options, {"defaults", CLI_FLAG, NULL, M_OPT_DEFAULTS});
#define SIGMA_OPTIONS {"mapping", CLI_TEXT, "NAME,NAME", M_OPT_MAPPING}, {"mapping-folder", CLI_TEXT, "FOLDER", M_OPT_MAPPING_FOLDER}, {"logsource", CLI_TEXT, "SOURCE", M_OPT_LOGSOURCE}, {"format", CLI_TEXT, "FORMAT", M_OPT_FORMAT}
OPTIONS(sigma_match_options, {"rules", CLI_TEXT, "PATH", M_OPT_RULES}, SIGMA_OPTIONS, {"counts", CLI_FLAG, NULL, M_OPT_COUNTS}, {"stats", CLI_FLAG, NULL, M_OPT_STATS});
OPTIONS(sigma_explain_options, {"rules", CLI_TEXT, "PATH", M_OPT_FILTERS}, SIGMA_OPTIONS);
OPTIONS(store_options, {"store", CLI_TEXT, "FILE", M_OPT_STORE});

#define LIST(what, where) static const struct cli_call list_##what = {.method = "GET", .path = "/api/v1/" where, .columns = what##_columns}
#define TABLE(what, where) \
	LIST(what, where); \
	static const struct cli_call export_##what = {.method = "GET", .path = "/api/v1/" where "/export", .raw_answer = true}; \
	static const struct cli_call import_##what = {.method = "POST", .path = "/api/v1/" where "/import", .body_from = "file"}
TABLE(organisation, "organisations");
TABLE(contact, "contacts");
TABLE(system, "systems");
TABLE(asset, "assets");
LIST(finding, "findings");
LIST(incident, "incidents");
LIST(mute, "mutes");
LIST(rule, "rules");
LIST(exception, "exceptions");
LIST(outbox, "outbox");
LIST(token, "tokens");
LIST(audit, "audit");
static const struct cli_call show_finding = {.method = "GET", .path = "/api/v1/findings/{1}"};
static const struct cli_call show_incident = {.method = "GET", .path = "/api/v1/incidents/{1}"};
#define INCIDENT(word, key, said) static const struct cli_call incident_##word = {.method = "POST", .path = "/api/v1/incidents/{1}/" #word, .operand_keys = {key}, .done = said}
INCIDENT(ack, NULL, M_DONE_ACK);
INCIDENT(assign, "owner", M_DONE_ASSIGN);
INCIDENT(note, "text", M_DONE_NOTE);
INCIDENT(contain, NULL, M_DONE_CONTAIN);
INCIDENT(close, "reason", M_DONE_CLOSE);
INCIDENT(reopen, "reason", M_DONE_REOPEN);
static const struct cli_call add_mute = {.method = "POST", .path = "/api/v1/mutes"};
static const struct cli_call remove_mute = {.method = "DELETE", .path = "/api/v1/mutes/{1}", .done = M_DONE_REMOVED};
static const struct cli_call disable_rule = {.method = "POST", .path = "/api/v1/rules/{1}/disable", .done = M_DONE_DISABLED};
static const struct cli_call enable_rule = {.method = "POST", .path = "/api/v1/rules/{1}/enable", .done = M_DONE_ENABLED};
static const struct cli_call add_exception = {.method = "POST", .path = "/api/v1/exceptions", .body_from = "file"};
static const struct cli_call remove_exception = {.method = "DELETE", .path = "/api/v1/exceptions/{1}", .done = M_DONE_REMOVED};
static const struct cli_call resend_mail = {.method = "POST", .path = "/api/v1/outbox/{1}/resend", .done = M_DONE_RESEND};
static const struct cli_call cancel_mail = {.method = "POST", .path = "/api/v1/outbox/{1}/cancel", .done = M_DONE_CANCELLED};
static const struct cli_call create_token = {.method = "POST", .path = "/api/v1/tokens", .operand_keys = {"name"}};
static const struct cli_call revoke_token = {.method = "DELETE", .path = "/api/v1/tokens/{1}", .done = M_DONE_REVOKED};

#define TABLE_COMMANDS(what, list_help, import_help, export_help) \
	{#what, "list", NULL, list_help, .options = list_options, .call = &list_##what}, \
	{#what, "import", "FILE", import_help, .call = &import_##what}, \
	{#what, "export", NULL, export_help, .call = &export_##what}

const struct cli_command cli_commands[] = {
	{"serve", NULL, NULL, M_CMD_SERVE, .run = cli_serve},
	{"status", NULL, NULL, M_CMD_STATUS, .run = cli_status},
	{"doctor", NULL, NULL, M_CMD_DOCTOR, .run = cli_doctor},
	{"incident", "list", NULL, M_CMD_INCIDENT_LIST, .options = incident_list_options, .call = &list_incident},
	{"incident", "show", "NUMBER", M_CMD_INCIDENT_SHOW, .call = &show_incident},
	{"incident", "ack", "NUMBER", M_CMD_INCIDENT_ACK, .options = ack_options, .call = &incident_ack},
	{"incident", "assign", "NUMBER OWNER", M_CMD_INCIDENT_ASSIGN, .call = &incident_assign},
	{"incident", "note", "NUMBER TEXT", M_CMD_INCIDENT_NOTE, .call = &incident_note},
	{"incident", "contain", "NUMBER", M_CMD_INCIDENT_CONTAIN, .call = &incident_contain},
	{"incident", "close", "NUMBER REASON", M_CMD_INCIDENT_CLOSE, .call = &incident_close},
	{"incident", "reopen", "NUMBER REASON", M_CMD_INCIDENT_REOPEN, .call = &incident_reopen},
	{"finding", "list", NULL, M_CMD_FINDING_LIST, .options = list_options, .call = &list_finding},
	{"finding", "show", "ID", M_CMD_FINDING_SHOW, .call = &show_finding},
	TABLE_COMMANDS(organisation, M_CMD_ORGANISATION_LIST, M_CMD_ORGANISATION_IMPORT, M_CMD_ORGANISATION_EXPORT),
	TABLE_COMMANDS(contact, M_CMD_CONTACT_LIST, M_CMD_CONTACT_IMPORT, M_CMD_CONTACT_EXPORT),
	TABLE_COMMANDS(system, M_CMD_SYSTEM_LIST, M_CMD_SYSTEM_IMPORT, M_CMD_SYSTEM_EXPORT),
	TABLE_COMMANDS(asset, M_CMD_ASSET_LIST, M_CMD_ASSET_IMPORT, M_CMD_ASSET_EXPORT),
	{"sigma", "check", "PATH...", M_CMD_SIGMA_CHECK, .raw = sigma_check_main},
	{"sigma", "match", "FILE...", M_CMD_SIGMA_MATCH, .options = sigma_match_options, .raw = sigma_match_main},
	{"sigma", "explain", "RULE EVENT", M_CMD_SIGMA_EXPLAIN, .options = sigma_explain_options, .raw = sigma_explain_main},
	{"rule", "list", NULL, M_CMD_RULE_LIST, .options = list_options, .call = &list_rule},
	{"rule", "disable", "ID", M_CMD_RULE_DISABLE, .options = reason_options, .call = &disable_rule},
	{"rule", "enable", "ID", M_CMD_RULE_ENABLE, .options = reason_options, .call = &enable_rule},
	{"mute", "list", NULL, M_CMD_MUTE_LIST, .options = list_options, .call = &list_mute},
	{"mute", "add", NULL, M_CMD_MUTE_ADD, .options = mute_options, .call = &add_mute},
	{"mute", "remove", "ID", M_CMD_MUTE_REMOVE, .call = &remove_mute},
	{"exception", "list", NULL, M_CMD_EXCEPTION_LIST, .options = list_options, .call = &list_exception},
	{"exception", "add", "FILE", M_CMD_EXCEPTION_ADD, .call = &add_exception},
	{"exception", "remove", "ID", M_CMD_EXCEPTION_REMOVE, .call = &remove_exception},
	{"outbox", "list", NULL, M_CMD_OUTBOX_LIST, .options = incident_list_options, .call = &list_outbox},
	{"outbox", "resend", "ID", M_CMD_OUTBOX_RESEND, .call = &resend_mail},
	{"outbox", "cancel", "ID", M_CMD_OUTBOX_CANCEL, .call = &cancel_mail},
	{"token", "list", NULL, M_CMD_TOKEN_LIST, .options = list_options, .call = &list_token},
	{"token", "create", "NAME", M_CMD_TOKEN_CREATE, .options = token_options, .call = &create_token},
	{"token", "revoke", "ID", M_CMD_TOKEN_REVOKE, .call = &revoke_token},
	{"audit", "list", NULL, M_CMD_AUDIT_LIST, .options = list_options, .call = &list_audit},
	{"audit", "verify", NULL, M_CMD_AUDIT_VERIFY, .options = store_options, .run = cli_audit_verify},
	{"config", "check", NULL, M_CMD_CONFIG_CHECK, .run = cli_config_check},
	{"config", "print", NULL, M_CMD_CONFIG_PRINT, .options = defaults_options, .run = cli_config_print},
	{"sandbox", "probe", "ROLE", M_CMD_SANDBOX_PROBE, .run = cli_sandbox_probe},
	{"completion", "bash", NULL, M_CMD_COMPLETION, .run = cli_completion},
	{"version", NULL, NULL, M_CMD_VERSION, .run = cli_version},
	{"document", NULL, "WHAT", M_CMD_DOCUMENT, .run = cli_document, .hidden = true},
	{"role", NULL, "ROLE", M_CMD_ROLE, .run = cli_role, .hidden = true},
	{0},
};
/* clang-format on */

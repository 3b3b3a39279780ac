#include "routing/safe_functions.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

// clang-format off: lists to be read as lists.
// To be "non-volatile" here a name must have no volatile overload in pg_proc of any supported version.
constexpr auto kNonVolatile = std::to_array<std::string_view>({
    "abs", "acos", "age", "array_agg", "array_append", "array_cat", "array_dims", "array_length",
    "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove",
    "array_replace", "array_to_json", "array_to_string", "array_upper", "ascii", "asin", "atan", "atan2",
    "avg", "bit_and", "bit_length", "bit_or", "bool_and", "bool_or", "btrim", "cardinality", "cbrt", "ceil",
    "ceiling", "char_length", "character_length", "chr", "col_description", "concat", "concat_ws",
    "convert_from", "convert_to", "corr", "cos", "cot", "count", "covar_pop", "covar_samp", "cume_dist",
    "current_database", "current_schema", "current_schemas", "current_setting", "date", "date_bin",
    "date_part", "date_trunc", "decode", "degrees", "dense_rank", "div", "encode", "enum_first",
    "enum_last", "enum_range", "every", "exp", "factorial", "first_value", "floor", "format", "format_type",
    "gcd", "generate_series", "generate_subscripts", "get_bit", "get_byte", "has_any_column_privilege",
    "has_column_privilege", "has_database_privilege", "has_function_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_table_privilege", "hashtext", "host", "inet_client_addr",
    "inet_client_port", "inet_server_addr", "inet_server_port", "initcap", "isempty", "isfinite",
    "json_agg", "json_array_elements", "json_array_elements_text", "json_array_length", "json_build_array",
    "json_build_object", "json_each", "json_each_text", "json_extract_path", "json_extract_path_text",
    "json_object", "json_object_agg", "json_object_keys", "json_populate_record", "json_populate_recordset",
    "json_strip_nulls", "json_to_record", "json_to_recordset", "json_typeof", "jsonb_agg",
    "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
    "jsonb_build_object", "jsonb_each", "jsonb_each_text", "jsonb_extract_path", "jsonb_extract_path_text",
    "jsonb_insert", "jsonb_object", "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists",
    "jsonb_path_match", "jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first",
    "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty", "jsonb_set", "jsonb_set_lax",
    "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset", "jsonb_typeof", "justify_days",
    "justify_hours", "justify_interval", "lag", "last_value", "lcm", "lead", "left", "length", "like", "ln",
    "log", "log10", "lower", "lower_inc", "lower_inf", "lpad", "ltrim", "make_date", "make_interval",
    "make_time", "make_timestamp", "make_timestamptz", "max", "md5", "min", "mod", "mode", "now",
    "nth_value", "ntile", "num_nonnulls", "num_nulls", "obj_description", "octet_length", "overlaps",
    "parse_ident", "percent_rank", "percentile_cont", "percentile_disc", "pg_backend_pid",
    "pg_client_encoding", "pg_column_size", "pg_current_xact_id_if_assigned", "pg_encoding_to_char",
    "pg_function_is_visible", "pg_get_constraintdef", "pg_get_expr", "pg_get_function_arguments",
    "pg_get_function_identity_arguments", "pg_get_function_result", "pg_get_functiondef", "pg_get_indexdef",
    "pg_get_keywords", "pg_get_partkeydef", "pg_get_ruledef", "pg_get_serial_sequence", "pg_get_triggerdef",
    "pg_get_userbyid", "pg_get_viewdef", "pg_has_role", "pg_listening_channels", "pg_postmaster_start_time",
    "pg_size_bytes", "pg_size_pretty", "pg_table_is_visible", "pg_type_is_visible", "pg_typeof",
    "pg_wal_lsn_diff", "phraseto_tsquery", "pi", "plainto_tsquery", "pow", "power", "quote_ident",
    "quote_literal", "quote_nullable", "radians", "range_agg", "range_merge", "rank", "regexp_count",
    "regexp_instr", "regexp_like", "regexp_match", "regexp_matches", "regexp_replace",
    "regexp_split_to_array", "regexp_split_to_table", "regexp_substr", "regr_slope", "repeat", "replace",
    "reverse", "right", "round", "row_number", "row_to_json", "rpad", "rtrim", "scale", "set_bit",
    "set_byte", "setweight", "sha224", "sha256", "sha384", "sha512", "shobj_description", "sign", "sin",
    "split_part", "sqrt", "starts_with", "statement_timestamp", "stddev", "stddev_pop", "stddev_samp",
    "string_agg", "string_to_array", "string_to_table", "strip", "strpos", "substr", "sum", "tan", "text",
    "timezone", "to_ascii", "to_char", "to_date", "to_hex", "to_json", "to_jsonb", "to_number",
    "to_regclass", "to_regnamespace", "to_regproc", "to_regrole", "to_regtype", "to_timestamp",
    "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trim_array", "trunc", "ts_headline",
    "ts_rank", "ts_rank_cd", "txid_current_if_assigned", "unnest", "upper", "upper_inc", "upper_inf",
    "var_pop", "var_samp", "variance", "version", "websearch_to_tsquery", "width_bucket", "xmlagg",
});

// The functions about recovery and positions answer for the node that is asked.
constexpr auto kHarmless = std::to_array<std::string_view>({
    "clock_timestamp", "gen_random_uuid", "pg_database_size", "pg_get_wal_replay_pause_state",
    "pg_indexes_size", "pg_is_wal_replay_paused", "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp", "pg_relation_size", "pg_sleep",
    "pg_sleep_for", "pg_sleep_until", "pg_table_size", "pg_tablespace_size", "pg_total_relation_size",
    "random", "random_normal", "timeofday", "uuidv4", "uuidv7",
});

// JSON's forms became grammar in PostgreSQL 16 and 17; CUBE and ROLLUP are so within GROUP BY, SECOND in the
// type interval.
constexpr auto kSyntax = std::to_array<std::string_view>({
    "cube", "json", "json_array", "json_arrayagg", "json_exists", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value", "rollup", "second",
});

constexpr auto kSetConfig = std::to_array<std::string_view>({"set_config"});

constexpr auto kSetting = std::to_array<std::string_view>({"set_limit"});

constexpr auto kAdvisoryLock = std::to_array<std::string_view>({
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
});

constexpr auto kUnaskable = std::to_array<std::string_view>({
    "dblink_connect", "dblink_connect_u", "pg_backup_start", "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot", "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot", "pg_replication_origin_session_setup", "pg_start_backup",
    "setseed",
});

constexpr auto kEndsState = std::to_array<std::string_view>({
    "dblink_disconnect", "pg_advisory_unlock", "pg_advisory_unlock_all", "pg_advisory_unlock_shared",
    "pg_backup_stop", "pg_replication_origin_session_reset", "pg_stop_backup",
});

constexpr auto kSequenceState = std::to_array<std::string_view>({"currval", "lastval"});

constexpr auto kPrimaryOnly = std::to_array<std::string_view>({"pg_current_xact_id", "txid_current"});

// clang-format on

constexpr std::size_t kCount = kNonVolatile.size() + kHarmless.size() + kSyntax.size() + kPrimaryOnly.size() +
                               kSetConfig.size() + kSetting.size() + kAdvisoryLock.size() +
                               kUnaskable.size() + kEndsState.size() + kSequenceState.size();

constexpr auto all_functions() {
  std::array<std::pair<std::string_view, FunctionKind>, kCount> all{};
  std::size_t filled = 0;
  const auto add = [&all, &filled](std::span<const std::string_view> names, FunctionKind kind) {
    for (const std::string_view name : names) all[filled++] = {name, kind};
  };
  add(kNonVolatile, FunctionKind::non_volatile);
  add(kHarmless, FunctionKind::harmless);
  add(kSyntax, FunctionKind::syntax);
  add(kPrimaryOnly, FunctionKind::primary_only);
  add(kSetConfig, FunctionKind::set_config);
  add(kSetting, FunctionKind::setting);
  add(kAdvisoryLock, FunctionKind::advisory_lock);
  add(kUnaskable, FunctionKind::unaskable);
  add(kEndsState, FunctionKind::ends_state);
  add(kSequenceState, FunctionKind::sequence_state);
  return all;
}

constexpr WordTable<FunctionKind, 1024> kTable(all_functions());

}  // namespace

FunctionKind built_in_function(std::string_view name, const WordKey& key) {
  return kTable.find(key, name, FunctionKind::unknown);
}

bool is_listed_function(std::string_view name) {
  const bool lower = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
  });
  return lower && built_in_function(name, WordKey::of(name)) != FunctionKind::unknown;
}

bool is_large_object_function(std::uint32_t oid) {
  switch (oid) {
    case 715:   // lo_create
    case 764:   // lo_import
    case 765:   // lo_export
    case 767:   // lo_import with an oid
    case 952:   // lo_open
    case 953:   // lo_close
    case 954:   // loread
    case 955:   // lowrite
    case 956:   // lo_lseek
    case 957:   // lo_creat
    case 958:   // lo_tell
    case 964:   // lo_unlink
    case 1004:  // lo_truncate
    case 3170:  // lo_lseek64
    case 3171:  // lo_tell64
    case 3172:  // lo_truncate64
    case 3457:  // lo_from_bytea
    case 3458:  // lo_get
    case 3459:  // lo_get of a part
    case 3460:  // lo_put
      return true;
    default:
      return false;
  }
}

std::span<const std::string_view> built_in_names(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::non_volatile:
      return kNonVolatile;
    case FunctionKind::harmless:
      return kHarmless;
    case FunctionKind::syntax:
      return kSyntax;
    case FunctionKind::primary_only:
      return kPrimaryOnly;
    case FunctionKind::set_config:
      return kSetConfig;
    case FunctionKind::setting:
      return kSetting;
    case FunctionKind::advisory_lock:
      return kAdvisoryLock;
    case FunctionKind::unaskable:
      return kUnaskable;
    case FunctionKind::ends_state:
      return kEndsState;
    case FunctionKind::sequence_state:
      return kSequenceState;
    case FunctionKind::unknown:
      break;
  }
  return {};
}

}  // namespace tidemark::routing

"""DuckDB's functions by what they are: which of them an expression over one record may not use, and why."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


AGGREGATES = _words(
    """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
    arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg arrivals avg bit_and
    bit_or bit_xor bitstring_agg bool_and bool_or combine_aggr corr count count_if count_star countif covar_pop
    covar_samp decimal_average entropy favg first fsum geomean geometric_mean group_concat histogram
    histogram_exact json_group_array json_group_object json_group_structure kahan_sum kurtosis kurtosis_pop last
    list listagg lttb mad max max_by mean median min min_by mode product quantile quantile_cont quantile_disc
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan
    var_pop var_samp variance variant_group_array variant_group_object wavg weighted_avg
    """
)
"""DuckDB's aggregate functions, the macros that hide one, and `arrivals`, which is ours."""

CHANGING = _words(
    """
    ago assert_true col_description current_catalog current_connection_id current_database current_date
    current_localtime current_localtimestamp current_query current_query_id current_role current_schema
    current_schemas current_setting current_time current_timestamp current_transaction_id current_user currval
    error format_type gen_random_uuid get_block_size get_current_time get_current_timestamp getenv getvariable
    has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
    has_function_privilege has_language_privilege has_schema_privilege has_sequence_privilege
    has_server_privilege has_table_privilege has_tablespace_privilege in_search_path inet_client_addr
    inet_client_port inet_server_addr inet_server_port localtime localtimestamp nextval now obj_description
    random session_user setseed setval shobj_description sleep_ms stats today transaction_timestamp txid_current
    user uuid uuidv4 uuidv7 vector_type version write_log
    """
)
"""Functions and keywords whose result depends on when, where or by whom they are called."""

_CHANGING_PREFIXES = ("pg_", "current_")
_ROWS = _words("unnest unlist generate_subscripts regexp_split_to_table")
_READERS = re.compile(r"read_\w+|glob|\w+_scan|query|query_table|parquet_\w+|sniff_csv|which_secret")


def refusal(name: str, arguments: int) -> str | None:
    """Why a function (in lower case) has no place in an expression over one record; None if it has one."""
    if name in AGGREGATES:
        return f"{name} is an aggregate over many records; it belongs into a metric"
    if name in CHANGING or name.startswith(_CHANGING_PREFIXES) or (name == "age" and arguments == 1):
        return changing(name)
    if name in _ROWS:
        return f"{name} makes several rows of one; an expression gives one value"
    if _READERS.fullmatch(name):
        return f"{name} reads files or tables; an expression sees the columns of one record"
    return None


def changing(name: str) -> str:
    """Why a clock, a random number or a fact about the session is refused."""
    return f"{name} depends on when or where it runs; the same records must always give the same numbers"

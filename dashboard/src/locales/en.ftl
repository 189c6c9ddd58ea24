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

## The pool now.

pool-heading = Our machines, shared
pool-lead = Co-operatives share here the computers that they already own. One of these machines handles your question, and each answer says which one.
pool-empty = No machine has joined the pool yet.
pool-now-machines = { $taking ->
    [0] No machine is in service now, out of { $all }.
    [one] One machine out of { $all } is in service ({ $zones }).
   *[other] { $taking } machines out of { $all } are in service ({ $zones }); they come from { $coops ->
        [one] one co-op
       *[other] { $coops } co-ops
    }.
}
pool-now-jobs = { $running ->
    [0] Nothing is running
    [one] One request is running
   *[other] { $running } requests are running
}{ $queued ->
    [0] {""}, and nothing waits.
    [one] {""}, one more waits.
   *[other] {""}, { $queued } more wait.
}
pool-late = The pool does not answer. Last news: { $time }.
pool-machines = The machines
pool-models = The models
pool-no-models = No model is offered now.
province-machines = { $taking ->
    [0] none in service
   *[other] { $taking } of { $all } in service
}
machine-ready = Ready.{ $running ->
    [0] {""}
    [one] {" "}It answers one request.
   *[other] {" "}It answers { $running } requests.
}
machine-busy = Busy: it answers { $running ->
    [one] one request
   *[other] { $running } requests
} and takes no other for now.
machine-paused = Paused
machine-silent = Silent
machine-gone = Away
machine-reason = { $state }: { $reason }
machine-surplus = Renewable surplus: { $watts } W
model-replicas = { $replicas ->
    [one] on one machine
   *[other] on { $replicas } machines
}
model-context = reads about { $pages } pages at once

## Signing in and out.

signin-title = Sign in
signin-link-lead = This link opens the pool to you, in this browser.
signin-enter = Sign in
signin-link-once = The link works once. To sign in elsewhere or later, ask for another one.
signin-by-link = To sign in, open the link that you received.
signin-who-sends = You have none, or it no longer works? The person who looks after Entraide in your co-op can send you one.
signin-oidc = Sign in with { $name }
signin-email = Your e-mail address
signin-email-send = Send me a link
signin-email-sent = If the pool knows this address, a link arrives there within a few minutes. Look in the spam folder too.
signin-already = You are { $name } in this browser.
signin-to-pool = Go to the pool
signin-needed = Please sign in first
signin-needed-why = This page is for people of the pool’s co-ops.
sessions-who = You are { $name }, of the co-op { $coop }.
sessions-title = Where you are signed in
sessions-lead = Ending a session stops at once what runs there. If you do not recognise a device, end its session and tell the person who looks after Entraide in your co-op.
sessions-device-unknown = Unknown device
sessions-here = here
sessions-times = Opened on { $made }, used on { $seen }.
sessions-end = End

### Les phrases des pages. Les deux langues ont les mêmes codes.

## Le cadre de toutes les vues.

skip = Aller au contenu
menu = Menu
loading = Un instant…
reload = Recharger la page
view-not-loaded = Cette partie de la page n’a pas pu être chargée. Le parc ne répond pas, ou il vient d’être mis à jour. Rechargez la page.
never = jamais
sign-in = Entrer
sign-out = Sortir
view-pool = Le parc
view-signin = Entrer
view-sessions = Mes sessions
view-unknown = Page inconnue
unknown-title = Il n’y a pas de page à cette adresse
unknown-back = Revenir au parc
foot-open = Entraide est un logiciel libre.
foot-private = Cette page ne charge rien d’ailleurs et ne mesure pas votre visite.

## Les erreurs que la page remarque elle-même.

error-unreachable = Le parc ne répond pas. Vérifiez votre connexion, puis recommencez ; si rien ne change, écrivez à l’exploitant.
error-status = Le parc a répondu par une erreur ({ $status }). Recommencez ; si rien ne change, écrivez à l’exploitant.
error-page = La page a rencontré une erreur ({ $detail }). Rechargez-la ; si rien ne change, écrivez à l’exploitant.

## Le parc en ce moment.

pool-heading = Nos machines, mises en commun
pool-lead = Des coopératives partagent ici les ordinateurs qu’elles possèdent déjà. Une de ces machines traite votre question, et chaque réponse dit laquelle.
pool-empty = Aucune machine n’a encore rejoint le parc.
pool-now-machines = { $taking ->
    [0] Aucune machine n’est en service en ce moment, sur { $all }.
    [one] Une machine sur { $all } est en service ({ $zones }).
   *[other] { $taking } machines sur { $all } sont en service ({ $zones }) ; elles viennent { $coops ->
        [one] d’une même coopérative
       *[other] de { $coops } coopératives
    }.
}
pool-now-jobs = { $running ->
    [0] Rien n’est en cours
    [one] Une demande est en cours
   *[other] { $running } demandes sont en cours
}{ $queued ->
    [0] {""}, et rien n’attend.
    [one] {""}, une autre attend.
   *[other] {""}, { $queued } autres attendent.
}
pool-late = Le parc ne répond pas. Dernières nouvelles : { $time }.
pool-machines = Les machines
pool-models = Les modèles
pool-no-models = Aucun modèle n’est offert en ce moment.
province-machines = { $taking ->
    [0] aucune en service
   *[other] { $taking } sur { $all } en service
}
machine-ready = Prête.{ $running ->
    [0] {""}
    [one] {" "}Elle répond à une demande.
   *[other] {" "}Elle répond à { $running } demandes.
}
machine-busy = Occupée : elle répond à { $running ->
    [one] une demande
   *[other] { $running } demandes
} et n’en prend pas d’autre pour l’instant.
machine-paused = En pause
machine-silent = Silencieuse : le parc attend de ses nouvelles.
machine-gone = Absente
machine-reason = { $state } : { $reason }
machine-surplus = Surplus renouvelable : { $watts } W
model-replicas = { $replicas ->
    [one] sur une machine
   *[other] sur { $replicas } machines
}
model-context = lit environ { $pages } pages à la fois

## Entrer et sortir.

signin-title = Entrer
signin-link-lead = Ce lien vous ouvre le parc, dans ce navigateur.
signin-enter = Entrer
signin-link-once = Le lien sert une seule fois. Pour entrer ailleurs ou plus tard, demandez-en un autre.
signin-by-link = Pour entrer, ouvrez le lien que vous avez reçu.
signin-who-sends = Vous n’en avez pas, ou il ne sert plus ? La personne qui s’occupe d’Entraide dans votre coopérative peut vous en envoyer un.
signin-oidc = Entrer avec { $name }
signin-email = Votre adresse courriel
signin-email-send = M’envoyer un lien
signin-email-sent = Si cette adresse est connue du parc, un lien y arrive dans quelques minutes. Regardez aussi dans les indésirables.
signin-already = Vous êtes { $name } dans ce navigateur.
signin-to-pool = Aller au parc
signin-needed = Il faut entrer d’abord
signin-needed-why = Cette page est réservée aux personnes des coopératives du parc.
sessions-who = Vous êtes { $name }, de la coopérative { $coop }.
sessions-title = Où vous êtes entré·e
sessions-lead = Terminer une session arrête aussitôt ce qui y est en cours. Si vous ne reconnaissez pas un appareil, terminez sa session et prévenez la personne qui s’occupe d’Entraide dans votre coopérative.
sessions-device-unknown = Appareil inconnu
sessions-here = ici
sessions-times = Ouverte le { $made }, employée le { $seen }.
sessions-end = Terminer

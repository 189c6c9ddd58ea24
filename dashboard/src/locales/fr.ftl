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

## L’exploitation : le cadre, ce qui reste à faire, les invitations, les machines.

view-operator = Exploitation
op-parts = Parties de l’exploitation
op-part-work = À faire
op-part-machines = Machines
op-not-for-you = Cette page est réservée à l’exploitant du parc et à ses vérificateurs.
op-auditor = Vous voyez ce que voit l’exploitant, sans rien pouvoir changer.
op-cancel = Annuler
op-copy = Copier
op-copied = Copié.
op-copy-selected = Sélectionné : copiez avec Ctrl+C.
op-command = la commande
op-coop = Coopérative
op-work-title = Ce qui demande votre attention
op-work-none = Rien n’attend : ni machine à approuver, ni quarantaine, ni version en retard.
op-approve = Approuver
op-approved = { $name } est approuvée et peut travailler.
op-revoke = Révoquer
op-revoke-means = La machine est coupée du parc tout de suite et ce qu’elle traite est confié à d’autres. Pour revenir, il lui faudra une nouvelle invitation.
op-revoked = { $name } est révoquée.
op-end-quarantine = Lever la quarantaine
op-cleared = { $name } n’est plus en quarantaine.
op-forget = Oublier
op-forget-means = La fiche de la machine est effacée et sa clé, révoquée. Les comptes gardent ce qu’elle a donné. Pour revenir, il lui faudra une nouvelle invitation.
op-forgotten = { $name } est oubliée.
op-vouch = Attester
op-vouch-now = Enregistrer l’attestation
op-vouched = Votre attestation pour { $name } est en vigueur.
op-doctor-title = La machine du parc
op-doctor-machine = Le parc
op-doctor-checking = Vérification des ports, des certificats, du disque, de l’horloge et de la base de données…
op-doctor-good = { $count ->
    [0] Aucune autre vérification
    [one] Une autre vérification n’a rien trouvé
   *[other] { $count } autres vérifications n’ont rien trouvé
}
op-doctor-since = Depuis le { $when }
op-notify-title = Messages de l’exploitant
op-notify-try = Envoyer un message d’essai
op-notify-means = À chaque destinataire de notify.toml.
op-notify-nobody = Personne n’est averti : notify.toml ne nomme aucun destinataire.
op-notify-sent = { $recipient } : envoyé
op-notify-failed = { $recipient } : { $problem }
op-doctor-again = Vérifier de nouveau
op-doctor-at = Vérifié le { $when }
op-backup-age = { $days ->
    [0] La dernière sauvegarde a moins d’un jour
    [one] La dernière sauvegarde a un jour
   *[other] La dernière sauvegarde a { $days } jours
} ({ $when }).
op-backup-none = Aucune sauvegarde de ce parc n’est connue.
op-gateways = Passerelles
op-gateways-lead = On joint aussi le parc par ces passerelles, qui tournent à côté de celle de l’ordonnanceur.
op-gateway-live = { $jobs ->
    [0] En ligne, sans requête en cours.
    [one] En ligne, avec une requête en cours.
   *[other] En ligne, avec { $jobs } requêtes en cours.
}
op-gateway-silent = Sans nouvelles depuis le { $when }. Les requêtes auxquelles elle répondait ont échoué ; les autres passerelles servent.
op-gateway-stopped = Arrêtée dans les règles le { $when }.
op-gateway-version = Version { $version }
op-gateway-twice = Deux processus portent ce nom. Donnez à chaque passerelle son propre nom dans son fichier de configuration, puis redémarrez-la.
op-remedy-gateway = Regardez son journal, et si sa machine joint le bus.
op-part-grid = Réseau électrique
op-days = Requêtes récentes
op-days-1 = du dernier jour
op-days-7 = des 7 derniers jours
op-days-31 = des 31 derniers jours
op-operation-until = Fin au plus tard le { $when }.
op-operation-cancel = Arrêter
op-operation-cancelled = Arrêté avant la fin.
op-operation-failed = Cela n’a pas abouti. { $fault }
op-file-long = Le fichier a plus de 2,5 Mo. Divisez-le en plusieurs.
op-replay-policy = Les requêtes du { $from } au { $until }, décidées une fois sous la politique { $old } et une fois sous { $now ->
    [none] le texte essayé
   *[other] { $now }
}.
op-replay-demand = Les requêtes du { $from } au { $until }, une fois telles qu’elles sont venues et une fois avec { $percent } % de plus, sur les mêmes machines.
op-replay-recorded = Selon le journal : { $served } requêtes servies sur { $jobs }, { $tokens } jetons, { $energy } Wh ; premier mot en { $first } s ou moins pour 95 % d’entre elles.
op-replay-simulated = Simulé sous la même politique : { $served } servies sur { $jobs }, { $tokens } jetons, { $energy } Wh ; premier mot en { $first } s ou moins. Le simulateur refait le passé : la comparaison tient.
op-replay-read = Avant → après ; un seul chiffre là où rien ne change. Les deux sont simulés. Les délais sont ceux que 95 % des requêtes ne dépassent pas.
op-replay-table = Avant et après, par coopérative
op-replay-all = Toutes
op-replay-served = Servies
op-replay-refused = Refusées ou échouées
op-replay-waited = Attente (s)
op-replay-ttft = Premier mot (s)
op-replay-carbon = CO2e (g)
op-replay-energy = Énergie (Wh)
op-replay-kept = Promesses tenues (%)
op-replay-moved = Sur une autre machine
op-replay-save = Enregistrer le rapport
op-policy-try = Ce que ce texte aurait changé
op-policy-try-lead = Changez le texte, puis essayez-le sur les requêtes récentes avant qu’il ne compte. La simulation tourne à côté du parc, seulement quand la machine n’a rien d’autre à faire, et dure une heure au plus.
op-policy-try-now = Essayer ce texte
op-policy-trying = Les requêtes récentes sont rejouées sous les deux textes.
op-sim-lead = Les requêtes du journal reviennent, et une partie d’entre elles une fois de plus, sur les mêmes machines. La simulation tourne à côté du parc, seulement quand la machine n’a rien d’autre à faire, et dure une heure au plus.
op-sim-running = Les requêtes du journal sont rejouées, une fois telles qu’elles sont venues et une fois avec le surcroît.
op-sim-elsewhere = Sur un autre ordinateur, ou avec d’autres machines
op-sim-elsewhere-lead = Un fichier de scénario se change : une machine de plus, un autre prix. Il se simule sur un ordinateur où Entraide est installé.
op-catalogue-lead = Une machine ne charge qu’un modèle dont les poids sont épinglés, c’est-à-dire vérifiés par leur somme de contrôle.
op-model-remove-means = Le modèle quitte le catalogue : dès maintenant, aucune machine ne le charge à la demande du parc. Ses poids restent sur les disques.
op-model-removed = { $name } n’est plus dans le catalogue.
op-models-add = Ajouter des modèles
op-models-add-lead = Un modèle de même nom est remplacé.
op-models-file = Fichier d’entrées
op-models-file-hint = JSON : une entrée, une liste d’entrées ou un catalogue entier.
op-models-add-now = Ajouter depuis le fichier
op-models-shipped = Ajouter ceux qu’Entraide fournit
op-models-added = { $count ->
    [0] Rien à ajouter : ils sont tous dans le catalogue.
    [one] Un modèle a été ajouté.
   *[other] { $count } modèles ont été ajoutés.
}
op-models-no-entries = Ce fichier n’a pas d’entrées de modèles. Il doit être en JSON : une entrée avec un nom, une liste d’entrées ou un catalogue.
op-pin-title = Épingler un modèle
op-pin-lead = Le parc relève les sommes de contrôle des poids du modèle, là où son entrée le dit, et va les chercher pour ses machines. Cela peut prendre des heures ; le parc continue.
op-pin-format = Format des poids
op-pin-all = tous
op-pin-revision = Révision
op-pin-revision-hint = Vide : la plus récente.
op-pin-now = Épingler le modèle
op-pinning = { $name } est en train d’être épinglé.
op-pinned = { $name } est épinglé.
op-grid-title = L’intensité carbone en ce moment
op-grid-lead = Le parc envoie le travail là où l’électricité est la plus propre. La valeur de chaque zone vient de la source choisie ici, sinon de la moyenne annuelle.
op-grid-missing = source choisie sans données
op-grid-value = { $direct } g de CO2e par kWh ; sur le cycle de vie, { $lifecycle } g.
op-grid-source = { $source }{ $year ->
    [none] {""}
   *[other] {" "}de { $year }
}{ $when ->
    [none] {""}
   *[other] , données du { $when }
}{ $hours ->
    [0] {""}
    [one] , prévision pour une heure
   *[other] , prévision pour { $hours } heures
}{ $file ->
    [none] {""}
   *[other] , fichier { $file }
}
op-grid-source-annual = moyenne annuelle
op-grid-source-series = heures importées ou configurées
op-grid-source-electricity_maps = Electricity Maps, heure par heure
op-grid-source-configured = ce que dit pool.toml
op-grid-choose = Choisir une source
op-grid-new-source = Nouvelle source
op-grid-choose-now = Choisir cette source
op-grid-chosen = La source de { $zone } compte dès maintenant.
op-grid-token = Jeton d’Electricity Maps
op-grid-token-hint = Vide : celui que le parc a déjà. Il est gardé dans un fichier du parc et jamais montré.
op-grid-import = Importer les heures d’un fichier
op-grid-import-lead = Un fichier CSV avec une colonne « utc », ou un export d’Electricity Maps. Les heures deviennent aussitôt la source de la zone, à la place de celles importées avant.
op-grid-file = Fichier CSV
op-grid-column = Colonne de l’intensité directe
op-grid-column-hint = Vide : ci_direct_g_per_kwh, ou celle de l’export.
op-grid-years = Années à ajouter à ses heures
op-grid-years-hint = Pour employer une année passée ; les valeurs sont alors marquées comme estimées.
op-grid-import-now = Importer les heures
op-grid-imported = Les heures de { $zone } comptent dès maintenant.
op-invite-title = Inviter une machine
op-invite-lead = Le lien sert une fois, pour une machine. Ce que vous déclarez ici compte, quoi que la machine dise d’elle-même.
op-invite-no-coop = Ajoutez d’abord une coopérative.
op-invite = Créer l’invitation
op-invited = Invitation pour { $coop }, valable jusqu’au { $when }. Envoyez ce lien à la personne qui s’occupe de la machine ; il ne sera plus montré.
op-invite-link = le lien
op-invite-line = Ou, là où Entraide est déjà installé :
op-site = Site
op-site-hint = Laissez vide pour que la machine le nomme elle-même.
op-zone = Zone du réseau électrique
op-zone-unknown = zone non attestée{ $said ->
    [none] {""}
   *[other] {" "}(selon son propriétaire : { $said })
}
op-zone-none = non attestée : une nouvelle machine ne reçoit aucune requête
op-hours = Valable
op-hours-1 = une heure
op-hours-24 = un jour
op-hours-168 = une semaine
op-control = Qui contrôle la machine
op-control-none = non précisé
op-control-member = une coopérative membre
op-control-canadian = une autre organisation canadienne
op-control-other = quelqu’un d’autre
op-evidence = Preuve de son surplus renouvelable
op-evidence-none = aucune
op-evidence-certificate = certificats d’énergie renouvelable
op-evidence-contract = contrat d’achat d’électricité
op-evidence-meter = compteur sur place
op-evidence-invented = inventée pour la démonstration
op-document = Nom ou numéro du document ou du compteur
op-versions = Par version
op-version-unknown = inconnue
op-seek = Chercher une machine ou un site
op-seek-more = Les { $shown } premières sont montrées. Précisez la recherche.
op-state-waiting = À approuver
op-state-revoked = Révoquée
op-state-quarantined = En quarantaine
op-state-live = En ligne
op-state-paused = En pause
op-state-suspect = Sans nouvelles
op-state-lost = Hors ligne
op-state-left = Partie
op-state-unseen = Jamais vue
op-node-version = { $version ->
    [none] Version inconnue
   *[other] Version { $version }
}{ $when ->
    [none] {""}.
   *[other] {""}, vue le { $when }
}
op-node-models = Modèles : { $models }.
op-node-alarms = Crue hors ligne à tort dans la dernière heure : { $number ->
    [one] une fois
   *[other] { $number } fois
}. Ses réponses ont continué ailleurs.
op-node-vouched = Contrôle : { $control }. Preuve du surplus : { $evidence }{ $document ->
    [none] {""}
   *[other] {" "}({ $document })
}.

## L’exploitation : coopératives, clés, modèles, politique, simulation.

op-part-coops = Coopératives et clés
op-part-models = Modèles
op-part-policy = Politique
op-part-simulation = Simulation
op-data = Données que la machine peut traiter
op-data-public = publiques
op-data-internal = internes
op-data-restricted = restreintes
op-data-hint = Aucune case cochée : toutes.
op-reason = Raison
op-change = Changer
op-keep = Enregistrer
op-coops-title = Les coopératives
op-coop-add = Ajouter une coopérative
op-coop-name = Nom court
op-coop-name-hint = Minuscules sans accent, chiffres et tirets, sans espace ; il ne change plus.
op-coop-language = Langue des questions dont le texte ne la montre pas
op-coop-language-pool = Celle du parc
op-coop-language-fr = Français
op-coop-language-en = Anglais
op-coop-full-name = Nom complet
op-coop-full-name-hint = Comme les gens le lisent ; vide, le nom court est montré.
op-coop-shares = Parts : { $shares }.
op-coop-lends = Prête { $part } % de ses places{ $limit ->
    [none] {""}.
   *[other] {""}, au plus { $limit } Wh par jour.
}
op-coop-balance = { $side ->
    [1] A donné { $tokens } jetons de plus qu’elle n’a reçu.
    [-1] A reçu { $tokens } jetons de plus qu’elle n’a donné.
   *[other] A donné autant qu’elle a reçu.
}
op-coop-kept = { $coop } est enregistrée, dans une nouvelle version de la politique.
op-coop-added = { $coop } est enregistrée, dans une nouvelle version de la politique. Invitez maintenant sa première personne, plus bas, puis sa première machine, sous « À faire ».
op-coop-version = Elle est notée avec la nouvelle version de la politique.
op-remove = Retirer
op-remove-means = La coopérative quitte le parc tout de suite : ses clés, ses machines et ses invitations sont révoquées. Les comptes restent.
op-removed = { $coop } ne fait plus partie du parc.
op-shares = Parts dans le partage
op-lend-part = Ce qu’elle prête de ses places (%)
op-lend-daily = Énergie prêtée par jour, au plus (Wh)
op-lend-daily-hint = Vide : sans limite.
op-quotas = Quotas
op-quota = Quota{ $of ->
    [none] {""}
   *[other] {" "}de { $of }
} : { $limit } { $kind } { $period } ; { $used } pour l’instant.
op-quota-of = Quota de { $of }
op-quota-kind = Compte
op-quota-limit = Limite
op-quota-period = Période
op-quota-add = Ajouter un quota
op-quota-remove = Enlever ce quota
op-kind-tokens = jetons
op-kind-requests = requêtes
op-kind-jobs_in_flight = requêtes à la fois
op-kind-energy_wh = Wh
op-kind-carbon_g = g de CO2e
op-period-minute = par minute
op-period-day = par jour
op-period-month = par mois
op-period-none = en tout
op-keys-title = Clés d’API
op-keys-lead = Une clé sert à un programme. Une personne entre par un lien.
op-keys-none = Aucune clé.
op-keys-revoked = Montrer aussi les clés révoquées
op-project = Projet
op-project-hint = Vide : « default ».
op-label = À quoi elle sert
op-label-hint = Par exemple : courriel du bureau.
op-key-make = Créer une clé
op-key-made = Clé { $key } de { $coop }. Voici son secret : copiez-le maintenant, il ne sera plus jamais montré.
op-key-secret = le secret
op-key-revoked = révoquée
op-key-revoke-means = Clé { $key } de { $coop } : le programme qui s’en sert est refusé tout de suite. Une clé révoquée ne revient pas : il en faudra une autre.
op-loads-title = Chargés en ce moment
op-load-making_room = libère de la place
op-load-loading = en chargement
op-load-loaded = chargé
op-load-unloading = en déchargement
op-load-since = { $node }, { $gb } Go, depuis le { $when } : { $why }
op-load-owner = { $node }, au choix de son propriétaire
op-why-waiting = des requêtes l’attendent
op-why-promise = pour tenir les délais promis
op-why-operator = à la demande de l’exploitant
op-why-idle = personne ne s’en sert
op-why-yields = pour faire place à un autre
op-unload = Décharger
op-unload-means = { $node } finit ses réponses en cours, puis libère cette mémoire. Une requête pour ce modèle attendra qu’il soit chargé de nouveau.
op-unloading = { $node } décharge { $model }.
op-plan-title = Ce que le parc ferait maintenant
op-plan-none = Rien : chaque modèle est là où il doit être.
op-step-load = Charger { $model } sur { $node } ({ $why }).
op-step-unload = Décharger { $model } de { $node } ({ $why }).
op-place-title = Placer un modèle
op-place-lead = Une machine le charge, même si personne ne l’attend. Voyez d’abord ce que cela donnerait.
op-model = Modèle
op-machine = Machine
op-machine-best = la meilleure
op-place-look = Voir d’abord
op-place-now = Placer le modèle
op-placing = { $model } se charge.
op-catalogue-title = Le catalogue
op-size-petit = petit
op-size-moyen = moyen
op-size-grand = grand
op-unpinned = pas épinglé
op-model-facts = { $name } · { $gb } Go · { $billions } milliards de paramètres{ $class ->
    [none] {""}
   *[other] {" "}· classe { $class } ({ $wh } Wh pour 1 000 jetons)
} · { $licence } · ouverture (MOF) : { $openness ->
    [open-model] III, modèle ouvert
    [open-tooling] II, outils ouverts
    [open-science] I, science ouverte
    [unclassified] aucune
   *[other] non énoncée
}
op-policy-title = La politique en vigueur : { $version }
op-policy-lead = Changez le texte, lisez ce que cela change, vérifiez, puis appliquez. La nouvelle version compte dès la décision suivante.
op-policy-text = Texte de la politique (TOML)
op-policy-changes = Ce que votre texte change
op-policy-check = Vérifier
op-policy-undo = Reprendre le texte en vigueur
op-policy-sound = Le texte est valide.
op-policy-faults = { $count ->
    [one] Une faute empêche de l’appliquer :
   *[other] { $count } fautes empêchent de l’appliquer :
}
op-policy-reason-hint = Par exemple : assemblée du 12 janvier.
op-policy-signed = Signé par vous, { $name }.
op-policy-apply = Appliquer
op-policy-applied = La nouvelle version est en vigueur.
op-diff-none = Aucune différence.
op-diff-gone = Retiré : 
op-diff-new = Ajouté : 
op-diff-left-out = { $count ->
    [one] une ligne pareille
   *[other] { $count } lignes pareilles
}
op-compare-title = Comparer deux versions
op-compare-lines = Lignes qui diffèrent
op-compare-old = De
op-compare-new = À
op-policy-versions = Toutes les versions
op-in-force = en vigueur
op-journal = { $since ->
    [none] Le journal ne garde encore rien à rejouer.
   *[other] Le journal permet de rejouer ce qui s’est passé depuis le { $since } ({ $events } événements).
}
op-roll-reason = Raison d’un retour
op-roll-reason-hint = Nécessaire pour revenir à une version.
op-roll-back = Revenir à
op-roll-back-means = Le contenu de { $version } entre en vigueur tout de suite, sous un nouveau nom. Aucune version n’est effacée.
op-rolled-back = Le contenu de { $version } est en vigueur.
op-sim-title = Ce parc, avec la demande de l’an prochain
op-sim-journal = { $since ->
    [none] Le journal est encore vide : attendez quelques jours de travail.
   *[other] La demande enregistrée commence le { $since } ({ $events } événements).
} { $machines ->
    [0] Aucune machine ne peut être simulée.
    [one] Une machine entre dans la simulation.
   *[other] { $machines } machines entrent dans la simulation.
}
op-sim-percent = Demande en plus, l’an prochain (%)
op-sim-open = Simuler ce parc avec la demande de l’an prochain
op-sim-export = Exportez la demande enregistrée, sur la machine du parc
op-sim-file = Enregistrez le scénario dans le même dossier. Il a les coopératives, les machines et leurs modèles ; les prix et l’intensité viennent des moyennes.
op-sim-save = Enregistrer le scénario
op-sim-show = Lire le scénario
op-sim-run = Lancez la simulation ; si le matériel d’une machine ne lui est pas connu, elle dit à quelle ligne et quoi écrire
op-sim-plan = Et pour savoir si une machine de plus vaut son prix

## Le parc en ce moment.

pool-heading = Nos machines, mises en commun
pool-lead = Des coopératives partagent ici les ordinateurs qu’elles possèdent déjà. Une de ces machines traite votre question, et chaque réponse dit laquelle.
pool-now-jobs = { $running ->
    [0] Rien n’est en cours
    [one] Une requête est en cours
   *[other] { $running } requêtes sont en cours
}{ $queued ->
    [0] {""}, et rien n’attend.
    [one] {""}, une autre attend.
   *[other] {""}, { $queued } autres attendent.
}
pool-empty = Aucune machine n’a encore rejoint le parc.
pool-members = Ses machines, ses modèles et ce qu’ils font en ce moment sont réservés à ses membres : connectez-vous pour les voir.
pool-ask = Poser une question
pool-late = Le parc ne répond pas. Dernières nouvelles : { $time }.
pool-no-models = Aucun modèle n’est offert en ce moment.

## Le parc en ce moment, pour les personnes des coopératives.

now-heading = Le parc en ce moment
now-live = En direct
now-late = Le parc ne répond pas. Ce que vous voyez date de { $time } ; la page réessaie d’elle-même.
now-machines = { $all ->
    [0] Aucune machine n’a encore rejoint le parc.
   *[other] { $available ->
        [0] Aucune machine ne prend de travail en ce moment, sur { $all }.
        [one] Une machine sur { $all } prend du travail.
       *[other] { $available } machines sur { $all } prennent du travail.
    }
}
now-waiting = Ce que les requêtes attendent
now-unplanned = { $work } attendent aussi, à des heures qui ne sont pas encore calculées : trop de lots attendent.
now-provinces = Province par province
now-not-listed = { $machines ->
    [one] Une autre machine n’est pas montrée ici.
   *[other] { $machines } autres machines ne sont pas montrées ici.
}
job-class-interactive = { $jobs ->
    [one] une interactive
   *[other] { $jobs } interactives
}
job-class-standard = { $jobs ->
    [one] une ordinaire
   *[other] { $jobs } ordinaires
}
job-class-batch = { $jobs ->
    [one] une différée
   *[other] { $jobs } différées
}
intensity-unit = g/kWh
intensity-unknown = L’intensité de l’électricité y est inconnue.
intensity-source = Source : { $source }.
hours-range = De { $low } à { $high } g/kWh d’ici 24 heures, le moins vers { $at } ({ $how }).
hours-range-now = De { $low } à { $high } g/kWh d’ici 24 heures, le moins en ce moment ({ $how }).
hours-flat = { $value } g/kWh à toute heure d’ici demain ({ $how }).
hours-unknown = L’intensité des heures suivantes est inconnue.
hours-wait = Attendent des heures plus vertes : { $hours }.
hours-wait-at = { $work } (jusqu’à { $at })
hours-wait-later = { $work } (plus tard)
work-jobs = { $jobs ->
    [one] une requête
   *[other] { $jobs } requêtes
}
work-lines = { $lines ->
    [one] une ligne de lot
   *[other] { $lines } lignes de lots
}
province-load = { $slots ->
    [0] Aucune place n’est offerte.
    [one] { $running } place prise sur une.
   *[other] { $running ->
        [0] Aucune place prise sur { $slots }.
        [one] Une place prise sur { $slots }.
       *[other] { $running } places prises sur { $slots }.
    }
}
province-available = { $available ->
    [0] { $all ->
        [one] Sa machine ne prend pas de travail.
       *[other] Aucune de ses { $all } machines ne prend de travail.
    }
    [one] { $all ->
        [one] Sa machine prend du travail.
       *[other] Une machine sur { $all } prend du travail.
    }
   *[other] { $available } machines sur { $all } prennent du travail.
}
province-green = { $green ->
    [one] Une fonctionne à l’énergie renouvelable de son site.
   *[other] { $green } fonctionnent à l’énergie renouvelable de leur site.
}
site-name = { $site }, { $coop }
machine-models = Modèles : { $models }.
machine-loading-models = En chargement : { $models }.

## La coopérative.

view-coop = Ma coopérative
coop-which-month = Les chiffres du mois
coop-month = Donné et reçu
coop-month-means = Donné : des requêtes d’autres coopératives, sur ses machines. Reçu : ses requêtes, sur les machines d’autres. Chez elle : ses requêtes, sur ses machines.
amount-given = Donné
amount-received = Reçu
amount-own = Chez elle
amount-jobs = Requêtes
amount-tokens = Jetons
amount-energy = Énergie
amount-grams = CO2e
balance-given = En tout, tous mois compris, elle a donné { $tokens } jetons de plus qu’elle n’en a reçu.
balance-even = En tout, tous mois compris, elle a donné autant de jetons qu’elle en a reçu.
balance-received = En tout, tous mois compris, elle a reçu { $tokens } jetons de plus qu’elle n’en a donné.
coop-quotas = Usage et quotas
quotas-none = Aucun quota ne limite la coopérative.
quota-use = { $used } sur { $limit } { $name }
quota-left = Il en reste { $left }.
quota-reserved = Les requêtes en cours en réservent { $reserved }.
quota-again = Le { $at }, le compte repart.
coop-grams = Émissions
grams-none = Ce mois-ci, aucune requête n’est comparée à la moyenne d’une province.
grams-less = Ses requêtes ont émis { $direct } de CO2e. La même énergie, à la moyenne annuelle de chaque province, en aurait émis { $average }, donc { $difference } de plus.
grams-same = Ses requêtes ont émis { $direct } de CO2e, autant que la même énergie à la moyenne annuelle de chaque province : aucune différence qui compte.
grams-more = Ses requêtes ont émis { $direct } de CO2e. La même énergie, à la moyenne annuelle de chaque province, en aurait émis { $average }, donc { $difference } de moins.
average-known = En moyenne { $average } g/kWh ({ $source }, { $year }).
average-unknown = La moyenne de cette province est inconnue.
grams-of-energy = { $grams } pour { $energy }
coop-promises = Promesse tenue
promises-mean = Le parc promet un délai jusqu’au premier mot de la réponse, selon la classe de la requête.
promises-none = Aucune requête ce mois-ci.
promise-kept = Tenue { $kept } fois sur { $all } ({ $share }).
promise-without = { $jobs ->
    [one] Une requête était sans promesse ou sans réponse.
   *[other] { $jobs } requêtes étaient sans promesse ou sans réponse.
}
coop-weight = Poids et crédit
weight-none = La politique en vigueur ne nomme pas la coopérative.
coop-machines = Ses machines
machines-none = La coopérative n’a pas de machine dans le parc.
machines-more = Ce que chacune fait, a donné aujourd’hui et peut utiliser
view-machine = Nos machines
machine-page-means = Cette page ne fait que montrer. Les heures et les limites relèvent du propriétaire, qui les change sur la machine même et décide si le parc les connaît.
machine-mail = M’écrire quand une machine de ma coopérative ne va pas, puis quand c’est fini
machine-mail-not = Pour recevoir une lettre quand une machine ne va pas, confirmez votre adresse (page de vos sessions) ; le parc doit avoir un serveur de courriel.
machine-page-at = État à { $time } (jours et mois selon { $zone })
machine-terms = Ce que son propriétaire permet
machine-gave = Ce qu’elle a fait
machine-today = Aujourd’hui
machine-for-others = Pour d’autres coopératives
machine-for-own = Pour la coopérative elle-même
machine-left = A quitté le parc.
machine-month = Ce mois-ci : { $given } jetons pour d’autres, { $own } pour la coopérative, { $energy }.
coop-totals-only = Vous voyez les totaux de toute la coopérative. Le détail par machine, par clé et par projet, et le relevé du mois, sont réservés à ses admins : derrière une de ces lignes, il peut n’y avoir qu’un seul collègue.
coop-statement = Relevé du mois
statement-means = Ce que la coopérative a donné et reçu, jour par jour, par clé, projet, modèle et machine. Les personnes d’un projet y forment une seule ligne.
statement-csv = Tableur (CSV)
statement-json = Données (JSON)
statement-pdf = Document (PDF)
coop-people = Les personnes
role-person = personne
role-coop_admin = administration
role-operator = exploitation
role-auditor = vérification
person-disabled = sans accès depuis le { $at }
person-enable = Redonner l’accès
person-link = Nouveau lien
person-promote = Confier l’administration
person-demote = Retirer l’administration
person-disable = Retirer l’accès
people-first = Cette coopérative n’a encore personne. La première personne invitée l’administre et invite les autres.
link-of = Lien d’entrée pour { $name }
link-once = Jusqu’au { $until }, ce lien sert une seule fois. Envoyez-le à cette personne seulement : il n’est montré qu’ici.
link-new-start = Il n’ouvre rien de ce que la personne a envoyé auparavant.
link-emailed = Il est aussi parti par courriel.
invite-title = Inviter une personne
invite-means = Vous recevez un lien à lui transmettre. Avec une adresse, le parc l’envoie aussi lui-même s’il a un serveur de courriel.
invite-send = Inviter
field-name = Nom
field-email = Courriel (facultatif)
field-project = Projet (facultatif)
field-label = Étiquette
coop-keys = Les clés
keys-mean = Une clé laisse entrer un programme de la coopérative. Ce qu’il demande compte sur le projet de la clé.
key-new = La nouvelle clé
key-once = Copiez-la maintenant et gardez-la en lieu sûr : le parc ne peut pas la montrer de nouveau.
key-revoked = révoquée
key-revoke = Révoquer
key-create-title = Créer une clé
key-create = Créer
coop-projects = Les projets
projects-mean = Un projet existe dès qu’une personne ou une clé compte sur lui.
project-unnamed = sans nom
project-has = { $people ->
    [0] Aucune personne
    [one] Une personne
   *[other] { $people } personnes
}, { $keys ->
    [0] aucune clé.
    [one] une clé.
   *[other] { $keys } clés.
}

## Les secrets qui ne sont montrés qu’une fois, et ce qu’il faut confirmer.

once-copy = Copier
once-copied = Copié.
once-close = C’est fait
confirm-yes = { $act } : oui
confirm-no = Non

## Entrer et sortir.

signin-title = Entrer
signin-link-lead = Ce lien vous ouvre le parc, dans ce navigateur.
signin-own = Cet ordinateur est le mien
signin-own-why = Vos conversations y sont alors gardées, chiffrées, jusqu’à ce que vous sortiez. Sur un ordinateur partagé, ne cochez pas : rien n’est gardé.
signin-enter = Entrer
signin-link-once = Le lien sert une seule fois. Pour entrer ailleurs ou plus tard, demandez‑en un autre à la personne qui s’occupe d’Entraide dans votre coopérative.
signin-by-link = Pour entrer, ouvrez le lien que vous avez reçu.
signin-who-sends = Vous n’en avez pas, ou il ne sert plus ? La personne qui s’occupe d’Entraide dans votre coopérative peut vous en envoyer un.
signin-fault-oidc_refused = La connexion avec « { $name } » n’a pas abouti : elle a été annulée, ou elle a duré trop longtemps. Recommencez.
signin-fault-oidc_person_unknown = « { $name } » vous connaît, mais personne dans le parc n’a votre adresse courriel vérifiée, ou votre accès a été retiré. Demandez à la personne qui s’occupe d’Entraide dans votre coopérative de vous ajouter.
signin-fault-oidc_unreachable = « { $name } » ne répond pas comme il le devrait. Réessayez dans quelques minutes, ou entrez par un lien.
signin-fault-other = La connexion n’a pas abouti. Recommencez ; si rien ne change, écrivez à la personne qui s’occupe d’Entraide dans votre coopérative.
signin-fault-provider = le compte de votre organisation
signin-oidc = Entrer avec { $name }
signin-email = Votre adresse courriel
signin-email-send = M’envoyer un lien
signin-email-sent = Si cette adresse est connue du parc, un lien y arrive dans quelques minutes. Regardez aussi dans les indésirables.
signin-already = Vous êtes { $name } dans ce navigateur.
signin-to-pool = Aller au parc
signin-needed = Il faut entrer d’abord
signin-needed-why = Cette page est réservée aux personnes des coopératives du parc.
sessions-who = Vous êtes { $name }, de la { COOP($coop, "coopérative") }.
sessions-title = Où vous êtes entré·e
sessions-export = Télécharger tout ce que le parc détient sur vous
sessions-lead = Terminer une session arrête aussitôt ce qui y est en cours. Si vous ne reconnaissez pas un appareil, terminez sa session et prévenez la personne qui s’occupe d’Entraide dans votre coopérative.
sessions-device-unknown = Appareil inconnu
sessions-here = ici
sessions-times = Ouverte le { $made }, employée le { $seen }.
sessions-end = Terminer
start-operator = l’équipe d’exploitation du parc
start-title = Nouveau départ
start-by-link = Cette session a commencé le { $at }, par un lien que { $who } a créé.
start-by-address = Cette session a commencé le { $at }, à une adresse que { $who } a inscrite et que vous n’aviez pas confirmée.
start-closed = Ce que vous aviez envoyé auparavant lui est fermé, et vos autres sessions ne voient pas ce que vous envoyez ici.
start-more = Ce que vous pouvez faire
start-earlier = Vos sessions antérieures remontent au { $at } ; le lien ou l’adresse de la première venait de { $who }. Si ce n’était pas vous, repartez à vide.
start-open-title = Ouvrir ce que vous aviez envoyé
start-ask-lead = Avez-vous encore une session dans un autre navigateur ? Demandez l’ouverture ici, puis acceptez-la là-bas, à la page de vos sessions.
start-ask = Demander l’ouverture
start-asked = L’ouverture est demandée. Dans l’autre navigateur, allez à la page de vos sessions et choisissez « Ouvrir à cette session ».
start-check = C’est fait
start-by-email = Ou faites envoyer un lien à une adresse que vous avez confirmée : seul le courriel le contient. Ouvrez-le dans ce navigateur.
start-no-email = Aucun courriel ne peut l’ouvrir : le parc n’en envoie pas, ou vous n’avez confirmé aucune adresse.
start-by-oidc = Ou passez par le compte de votre organisation.
start-empty-title = Repartir à vide
start-empty-lead = Les requêtes, les fichiers et les lots que vous aviez conservés sont effacés, et vos autres sessions prennent fin. Les comptes restent, sans aucun texte. Rien de cela ne s’annule.
start-empty = Effacer et repartir à vide
email-title = Votre adresse
email-question = { $email } est-elle bien votre adresse ? Les liens de connexion y sont envoyés ; n’acceptez que si vous y lisez vos courriels, et personne d’autre.
email-unproven = Votre adresse, telle qu’une autre personne l’a inscrite ici, est { $email }. Si c’est bien la vôtre, { $by ->
    [oidc] connectez-vous dans ce navigateur par le compte de votre organisation
   *[email] faites-y envoyer un lien et ouvrez-le dans ce navigateur
}, puis confirmez l’adresse : elle ouvrira désormais ce que vous envoyez. Sinon, prévenez la personne qui s’occupe d’Entraide dans votre coopérative.
email-confirm = C’est la mienne
sessions-new-start = nouveau départ
sessions-by-link = Par un lien que { $who } a créé.
sessions-by-email = Par un lien envoyé à une adresse que { $who } a inscrite.
sessions-by-oidc = Par le compte de votre organisation.
sessions-asks = Cette session demande à lire ce que vous avez envoyé. N’acceptez que si vous l’avez demandé vous-même.
sessions-open = Ouvrir à cette session

## Discuter.

view-chat = Discuter
close = Fermer
cancel = Annuler
copy = Copier
copied = Copié
copy-failed = Copie impossible
chat-conversation = Conversation
chat-composer = Nouvelle question
chat-question = Votre question
chat-placeholder = Écrivez votre question
chat-send = Demander
chat-stop = Arrêter
chat-edit = Modifier
chat-edit-label = Modifier la question
chat-ask-again = Redemander
chat-new = Nouvelle conversation
chat-untitled = Sans titre
chat-welcome = Que voulez-vous savoir, écrire ou résumer ?
chat-welcome-where = Une machine des coopératives répond. Sous chaque réponse, une ligne dit laquelle, où elle est et ce qu’il a fallu d’énergie. Un modèle peut se tromper : vérifiez ce qui compte.
chat-waiting = En attente du premier mot…
chat-running = Réponse en cours
chat-done = Réponse terminée
chat-reasoning = La réflexion du modèle
chat-think = Réfléchir d’abord
chat-think-unmeasured = Le modèle réfléchit avant de répondre. Il faut d’ordinaire plusieurs fois l’énergie et le temps ; ici, ce n’est pas encore mesuré.
chat-think-measured = Le modèle réfléchit avant de répondre. Mesuré dans vos conversations : une réponse a pris { $with } Wh, dont { $thought } Wh pour la réflexion{ $without ->
    [none] .
   *[other] {""} ; sans réflexion, { $without } Wh.
}
chat-reconnecting = La connexion est coupée. Nouvelle tentative…
chat-resumed = La première machine s’est arrêtée en cours de réponse ; { $machine } a poursuivi.
chat-away = Le parc n’est pas joignable : votre question ne lui est pas parvenue. Vérifiez votre connexion, puis redemandez.
chat-cut = La connexion au parc est coupée depuis une minute : le parc a arrêté cette réponse.
chat-lost = Le parc a perdu cette réponse : son serveur a redémarré, ou la page est revenue trop tard.
chat-kept = Ce qui est arrivé reste affiché ci-dessus ; « Continuer » poursuit à partir de là.
chat-no-model = Aucune machine n’offre ce modèle en ce moment. Choisissez-en un autre, ou redemandez plus tard.
chat-ended-stopped = Arrêtée à votre demande.
chat-ended-length = La réponse a atteint la longueur que le parc permet.
chat-continue = Continuer
chat-continue-question = Continue ta réponse là où elle s’est arrêtée.
chat-toy = Ce parc est une démonstration, et ce modèle ({ $model }) est un jouet : il écrit, mais ne sait rien. Ne jugez pas un vrai parc sur ses réponses.
chat-model = Modèle
chat-class = Classe des données
size-auto = Automatique ({ $means })
size-petit = Petit : rapide et sobre ({ $means })
size-moyen = Moyen : pour la plupart des textes ({ $means })
size-grand = Grand : plus capable, plus lent ({ $means })
class-restricted = Restreintes : nos machines
class-internal = Internes : les membres
class-public = Publiques : tout le parc
class-restricted-means = Restreintes : seules les machines de votre propre coopérative répondent.
class-internal-means = Internes : des machines de toutes les coopératives membres répondent. La personne qui administre la machine pourrait lire le texte.
class-public-means = Publiques : toute machine du parc peut répondre. N’y mettez que ce que tout le monde peut lire.
model-openness = Ouverture du modèle { $model } (Model Openness Framework) : { $openness ->
    [open-model] III, modèle ouvert
    [open-tooling] II, outils ouverts
    [open-science] I, science ouverte
    [unclassified] aucune
   *[other] non énoncée
}

document-attach = Joindre
document-attach-what = Joindre un PDF, un DOCX ou un texte, lu dans ce navigateur
document-reading = Lecture…
document-length = { $characters } caractères
document-cut = (seul le début est joint)
document-remove = Retirer { $name }
document-large = { $name } est trop grand : { $limit } Mo au plus.
document-kind = { $name } ne peut pas être lu ici. Joignez un PDF, un DOCX ou un fichier de texte.
document-broken = { $name } ne peut pas être lu : le fichier semble abîmé. Ouvrez-le, enregistrez-le de nouveau, puis recommencez.
document-locked = { $name } est protégé par un mot de passe. Enregistrez-en une copie sans mot de passe, puis recommencez.
document-empty = Aucun texte dans { $name }. Un document numérisé n’est qu’une image ; il faut d’abord en reconnaître le texte.

warning-title = Des renseignements personnels vont sortir de chez vous
warning-lead = Avec cette classe de données, une machine d’une autre coopérative peut répondre. Il y a dans ce message :
warning-more = et { $count } de plus
warning-restrict = N’employer que nos machines
warning-remove = Les enlever et envoyer
warning-send = Envoyer quand même
warning-restricted-title = Ce qui n’allait qu’à vos machines va en sortir
warning-restricted-lead = Une partie de cette conversation n’a été envoyée qu’aux machines de votre coopérative. Elle part tout entière, documents compris, avec chaque question : une machine d’une autre coopérative pourrait la recevoir. Pour une question sans rapport, commencez une nouvelle conversation.
warning-limits = La page reconnaît ces numéros à leur forme, dans ce navigateur. Elle ne cherche ni les noms ni les autres secrets : relisez.
personal-sin = un numéro d’assurance sociale ({ $hint })
personal-card = un numéro de carte de paiement ({ $hint })
personal-ramq = un numéro d’assurance maladie ({ $hint })
personal-phone = un numéro de téléphone ({ $hint })
personal-postal = un code postal ({ $hint })
personal-email = une adresse courriel ({ $hint })
removed-sin = [numéro d’assurance sociale enlevé]
removed-card = [numéro de carte enlevé]
removed-ramq = [numéro d’assurance maladie enlevé]
removed-phone = [téléphone enlevé]
removed-postal = [code postal enlevé]
removed-email = [adresse courriel enlevée]

answer-machine = { $machine } de { $coop }, { $province }
answer-own = { $machine } de { $coop } (votre coopérative), { $province }
answer-begun = commencée par { $machine } de { $coop }, { $province }
answer-canada-inside = rien n’est sorti du Canada
answer-canada-invented = rien n’est sorti du Canada (l’emplacement du serveur est inventé)
answer-canada-unknown = on ne sait pas où est le serveur du parc, ou qui en a le contrôle
grams = { $grams } g de CO2e
grams-under = moins de 0,001 g de CO2e
microwave-under = moins de 1 s de four à micro-ondes
microwave-seconds = { $seconds } s de four à micro-ondes
microwave-minutes = { $minutes } min de four à micro-ondes

receipt-title = D’où vient cette réponse
receipt-machine = La machine { $machine } de la { COOP($coop, "coopérative") } a répondu. Elle est au site { $site } ({ $province }).
receipt-begun = La machine { $machine } de la { COOP($coop, "coopérative") }, au site { $site } ({ $province }), a commencé la réponse : { $tokens } jetons. { $why ->
    [owner_terms] Puis les conditions de son propriétaire l’ont mise en pause.
    [node_lost] Puis elle n’a plus répondu.
    [no_answer] Puis elle n’a plus répondu.
    [node_left] Puis elle a quitté le parc.
    [node_restarted] Puis elle a redémarré.
   *[other] Puis elle n’a pas pu continuer.
}
receipt-control = { $control ->
    [member] Une coopérative membre en a le contrôle : l’exploitant l’atteste.
    [canadian] Une organisation canadienne en a le contrôle : l’exploitant l’atteste.
   *[other] L’exploitant n’a pas attesté qui en a le contrôle.
}
receipt-place = Le texte est passé par le serveur du parc{ $zone ->
    [unknown] , à un endroit inconnu
   *[other] {" "}({ $zone })
} : { $control ->
    [member] une coopérative membre en a le contrôle
    [canadian] une organisation canadienne en a le contrôle
    [other] une organisation non attestée comme canadienne en a le contrôle
   *[unknown] on ne sait pas qui en a le contrôle
}.{ $invented ->
    [yes] {" "}L’emplacement est inventé, pour la démonstration.
   *[no] {""}
}
receipt-further = Il est aussi passé par un autre serveur{ $zone ->
    [unknown] , à un endroit inconnu
   *[other] {" "}({ $zone })
} : { $control ->
    [member] une coopérative membre en a le contrôle
    [canadian] une organisation canadienne en a le contrôle
    [other] une organisation non attestée comme canadienne en a le contrôle
   *[unknown] on ne sait pas qui en a le contrôle
}.{ $invented ->
    [yes] {" "}L’emplacement est inventé, pour la démonstration.
   *[no] {""}
}
receipt-model = Modèle : { $model }, exécuté par { $engine }.
receipt-time = La question a attendu { $waited } s ; les premiers mots sont venus après { $first } s.
receipt-tokens = { $input } jetons lus, { $output } jetons écrits. Un jeton est un morceau de mot.
receipt-larger = Le modèle servi ici qui le suit en taille, { $model }, aurait pris { $energy } Wh, d’après son énergie mesurée : cette réponse en a épargné { $percent } %.
receipt-thought = { $tokens } des jetons produits étaient la réflexion du modèle, pour { $energy } Wh.{ $always ->
    [yes] {" "}Ce modèle réfléchit toujours : on ne peut pas l’en empêcher.
   *[no] {""}
}
receipt-energy = Énergie : { $energy } Wh, soit { $microwave } de 1 000 W ({ $basis ->
    [measured] mesurée
    [declared] déclarée
    [none] d’origine inconnue
   *[other] estimée
}).
receipt-carbon = Émissions de l’électricité : { $grams } ; avec la fabrication des centrales : { $lifecycle }. Le courant y portait { $intensity } g par kWh ({ $basis ->
    [measured] mesuré
    [declared] déclaré
    [none] d’origine inconnue
   *[other] estimé
}).
receipt-surplus = La machine fonctionnait au surplus d’énergie renouvelable de son site ({ $basis ->
    [measured] mesuré
    [declared] déclaré
    [none] d’origine inconnue
   *[other] estimé
}), qui compte pour 0 g.
receipt-signed = { $settled ->
    [yes] Ce reçu est inscrit aux comptes du parc et signé.
   *[other] Ce reçu est signé ; les comptes du parc le confirment dans un instant.
}
receipt-job = Numéro de la requête : { $job }
explanation-title = Pourquoi cette machine
explanation-gone = Le parc n’a plus l’explication de cette requête.
zone-ab = Alberta
zone-bc = Colombie-Britannique
zone-mb = Manitoba
zone-nb = Nouveau-Brunswick
zone-nl = Terre-Neuve-et-Labrador
zone-ns = Nouvelle-Écosse
zone-nt = Territoires du Nord-Ouest
zone-nu = Nunavut
zone-on = Ontario
zone-pe = Île-du-Prince-Édouard
zone-qc = Québec
zone-sk = Saskatchewan
zone-yt = Yukon

## Garder des conversations.

conversations-label = Mes conversations
here-title = Dans ce navigateur
here-kept = Vos conversations sont gardées dans ce navigateur, chiffrées. Si vous sortez, personne ne peut plus les lire.
here-lost = Des conversations gardées ici ne peuvent plus être lues : on a mis fin à la session de ce navigateur, un lien fait par quelqu’un d’autre a servi, ou le parc a été rétabli d’une copie. Les nouvelles sont gardées dans ce navigateur, chiffrées.
here-not-own = Rien n’est gardé : vous n’avez pas dit que cet ordinateur est le vôtre. Les conversations disparaissent avec cet onglet.
here-no-https = Rien n’est gardé : ce navigateur ne chiffre que sur une adresse en https. Les conversations disparaissent avec cet onglet.
here-failed = Le navigateur ne garde rien en ce moment : il n’a pas pu lire ou écrire ses données, ou joindre le parc. Rechargez la page pour essayer de nouveau.
here-search = Chercher dans vos conversations
here-none-found = Aucune ne contient ces mots.
here-rename = Renommer « { $title } »
tab-title = Dans cet onglet
keep-this = Garder cette conversation
keep-kept = gardée
keep-not-kept = Elle n’est que dans cet onglet et disparaît avec lui.
keep-open = Ouvrir mes conversations gardées
keep-title = Conversations gardées
keep-none = Aucune pour l’instant.
keep-delete = Effacer « { $title } »
keep-delete-sure = Effacer « { $title } » ? On ne pourra pas la rétablir.
keep-needs-https = Ce navigateur ne chiffre que sur une adresse en https. Demandez à l’exploitant l’adresse sûre du parc. En attendant, vous pouvez exporter la conversation.
keep-create-title = Garder des conversations
keep-create-lead = Elles restent dans ce navigateur, chiffrées par une phrase de passe que vous seul·e connaissez. Le parc ne les reçoit pas.
keep-phrase = Phrase de passe ({ $least } caractères ou plus)
keep-phrase-again = La même, encore une fois
keep-phrase-ask = Votre phrase de passe
keep-differs = Les deux phrases diffèrent.
keep-create = Créer
keep-honest = Cela protège vos conversations si quelqu’un copie les données de ce navigateur ou vole l’ordinateur. Cela ne les protège pas d’une personne qui modifie cette page, ce que l’exploitant du parc peut faire, ni d’une personne qui se sert de cet ordinateur pendant qu’elles sont ouvertes.
keep-code-title = Votre code de secours
keep-code-lead = Notez-le sur papier et rangez-le. Il ouvre vos conversations si vous oubliez la phrase de passe, et il n’est montré que cette fois.
keep-code-done = Je l’ai noté
keep-unlock = Ouvrir
keep-lost = Phrase de passe oubliée
keep-code-ask = Code de secours
keep-recover = Changer la phrase de passe
keep-erase = Tout effacer
keep-erase-sure = Effacer toutes les conversations gardées dans ce navigateur ? On ne pourra pas les rétablir.
keep-erase-why = Sans la phrase ni le code, personne ne peut les rouvrir. Vous pouvez tout effacer et recommencer.
keep-wrong = Cela n’ouvre rien. Vérifiez chaque caractère, puis recommencez.
keep-failed = Le navigateur n’a pas pu écrire ou lire ses données. Vérifiez qu’il reste de la place et que la navigation privée est fermée, puis recommencez.
keep-unreadable = { $count ->
    [one] Une conversation gardée est abîmée et ne peut pas être lue.
   *[other] { $count } conversations gardées sont abîmées et ne peuvent pas être lues.
}
export-label = Exporter :
export-question = Question
export-answer = Réponse
export-document = Document joint :

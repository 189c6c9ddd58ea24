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
pool-ask = Poser une question
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
signin-link-once = Le lien sert une seule fois. Pour entrer ailleurs ou plus tard, demandez‑en un autre.
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
chat-waiting = Une machine est en train de lire votre question…
chat-running = Réponse en cours
chat-done = Réponse terminée
chat-reasoning = Le raisonnement du modèle
chat-broke-off = La réponse s’est interrompue. Ce qui est arrivé est gardé ci-dessus ; redemandez pour la suite.
chat-no-model = Aucune machine n’offre ce modèle en ce moment. Choisissez-en un autre, ou redemandez plus tard.
chat-ended-stopped = Arrêtée à votre demande.
chat-ended-length = La réponse a atteint la longueur que le parc permet.
chat-continue = Continuer
chat-continue-question = Continue ta réponse là où elle s’est arrêtée.
chat-model = Modèle
chat-class = Classe des données
size-auto = Automatique ({ $means })
size-petit = Petit : rapide et sobre ({ $means })
size-moyen = Moyen : pour la plupart des textes ({ $means })
size-grand = Grand : plus capable, plus lent ({ $means })
class-restricted = Données restreintes
class-internal = Données internes
class-public = Données publiques
class-restricted-means = Restreintes : seules les machines de votre propre coopérative répondent.
class-internal-means = Internes : les machines des coopératives membres répondent ; la personne qui s’occupe de la machine pourrait lire le texte.
class-public-means = Publiques : toute machine du parc peut répondre. N’y mettez que ce que tout le monde peut lire.

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
warning-remove = Les enlever du texte
warning-send = Envoyer quand même
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
answer-canada = rien n’est sorti du Canada
grams = { $grams } g de CO₂e
grams-under = moins de 0,001 g de CO₂e
microwave-under = moins de 1 s de four à micro-ondes
microwave-seconds = { $seconds } s de four à micro-ondes
microwave-minutes = { $minutes } min de four à micro-ondes

receipt-title = D’où vient cette réponse
receipt-machine = La machine { $machine } de la coopérative { $coop } a répondu. Elle est au site { $site } ({ $province }).
receipt-control = { $control ->
    [member] Une coopérative membre en a le contrôle : l’exploitant s’en porte garant.
    [canadian] Une organisation canadienne en a le contrôle : l’exploitant s’en porte garant.
   *[other] Personne ne s’est porté garant de qui en a le contrôle.
}
receipt-model = Modèle : { $model }, exécuté par { $engine }.
receipt-time = La question a attendu { $waited } s ; les premiers mots sont venus après { $first } s.
receipt-tokens = { $input } jetons lus, { $output } jetons écrits. Un jeton est un morceau de mot.
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
receipt-signed = { $settled ->
    [yes] Ce reçu est inscrit aux comptes du parc et signé.
   *[other] Ce reçu est signé ; les comptes du parc le confirment dans un instant.
}
receipt-job = Numéro de la demande : { $job }
explanation-title = Pourquoi cette machine
explanation-gone = Le parc n’a plus l’explication de cette demande.
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

shelf-label = Mes conversations
keep-this = Garder cette conversation
keep-kept = gardée
keep-not-kept = Elle n’est que dans cet onglet et disparaît avec lui.
keep-open = Ouvrir mes conversations gardées
keep-title = Conversations gardées
keep-none = Aucune pour l’instant.
keep-delete = Effacer « { $title } »
keep-delete-sure = Effacer « { $title } » pour toujours ?
keep-needs-https = Ce navigateur ne chiffre que sur une adresse en https. Demandez à l’exploitant l’adresse sûre du parc. En attendant, vous pouvez exporter la conversation.
keep-create-title = Garder des conversations
keep-create-lead = Elles restent dans ce navigateur, chiffrées par une phrase de passe que vous seul·e connaissez. Le parc ne les reçoit pas.
keep-phrase = Phrase de passe ({ $least } caractères ou plus)
keep-phrase-again = La même, encore une fois
keep-phrase-ask = Votre phrase de passe
keep-differs = Les deux phrases diffèrent.
keep-create = Créer
keep-honest = Cela protège si quelqu’un copie ce navigateur ou vole l’ordinateur. Cela ne protège ni d’une personne qui changerait cette page (l’exploitant du parc le peut), ni de qui se sert de l’ordinateur pendant que vos conversations sont ouvertes.
keep-code-title = Votre code de secours
keep-code-lead = Notez-le sur papier et rangez-le. Il ouvre vos conversations si vous oubliez la phrase de passe, et il n’est montré que cette fois.
keep-code-done = Je l’ai noté
keep-unlock = Ouvrir
keep-lost = Phrase de passe oubliée
keep-code-ask = Code de secours
keep-recover = Changer la phrase de passe
keep-erase = Tout effacer
keep-erase-sure = Effacer pour toujours toutes les conversations gardées dans ce navigateur ?
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

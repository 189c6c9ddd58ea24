"""The prose of the page of the HTTP interface, in English and in French, and its words.

`http_reference.py` fills it in; the sentences about fields and paths are in the gateway's
`openapi/texts.toml`.
"""

LANGUAGES = ("en", "fr")

HEAD = (
    """\
# HTTP

Made from the code by `python scripts/reference.py`; do not edit. [En français](http.fr.md). A pool
serves the same as OpenAPI 3.1 at `/openapi.json`, without a key; types made from it have the names
of the sections below.

Point any OpenAI client at `http://HOST:PORT/v1` with a key of the pool. The fields of a request
are in five groups. *Honoured*: checked against its limit, and passed to the engine. *Separating*:
keeps prompts apart; what an engine has kept of a prompt is used again only for requests of the same
person or key with the same value. *Ignored*: has no effect, with any value. *One value*: accepted
only with the value that the pool uses anyway. *Refused*: every other top-level field of a request,
unless it is null, with a 400, its name in `param` and a sentence that says what to write instead;
so is an engine's own field of its cache, such as `cache_salt`. The engine's request contains only
the honoured fields. Over gRPC a field has the same limit and is in `extra`; the Python client takes
it as a keyword argument.
""",
    """\
# HTTP

Page faite à partir du code par `python scripts/reference.py` ; ne pas la modifier. [In
English](http.md). Un parc sert la même chose, en OpenAPI 3.1, à `/openapi.json`, sans clé ; les
types qu’on en tire portent les noms des sections ci-dessous.

Dirigez n’importe quel client d’OpenAI vers `http://HÔTE:PORT/v1`, avec une clé du parc. Les champs
d’une requête forment cinq groupes. *Pris en compte* : comparé à sa limite, puis transmis au
moteur. *Séparateur* : sépare les requêtes ; ce qu’un moteur a gardé d’une requête ne resservira
qu’à celles de la même personne ou clé qui ont la même valeur. *Ignoré* : sans effet, quelle que
soit sa valeur. *Valeur unique* : accepté avec la seule valeur que le parc applique de toute façon.
*Refusé* : tout autre champ au premier niveau d’une requête, sauf s’il est null ; c’est alors une
erreur 400, avec son nom dans `param` et une phrase qui dit quoi écrire à la place ; il en est de
même d’un champ par lequel un moteur règle son propre cache, comme `cache_salt`. La requête au
moteur ne contient que les champs pris en compte. Par gRPC, un champ a la même limite et se trouve
dans `extra` ; le client Python le prend comme argument nommé.
""",
)
HONOURED = ("Honoured by `{path}`", "Pris en compte par `{path}`")
SEPARATING = ("Separating at `{path}`", "Séparateurs à `{path}`")
IGNORED = ("Ignored by `{path}`", "Ignorés par `{path}`")
ONE_VALUE = (
    "\n### One value at `{path}`\n\n| field | value |\n|---|---|\n",
    "\n### Valeur unique à `{path}`\n\n| champ | valeur |\n|---|---|\n",
)
REFUSED = (
    """
### Refused by `{path}`, with a substitute

All other fields are refused; for these the refusal says what to write instead.

| field | write instead |
|---|---|
""",
    """
### Refusés par `{path}`, avec un remplaçant

Tous les autres champs sont refusés ; pour ceux-ci, le refus dit quoi écrire à la place.

| champ | à écrire à la place |
|---|---|
""",
)
CHAT = (
    """
### Messages

| role | content | also |
|---|---|---|
| `system`, `developer` | text, or a list of `text` parts | `name` |
| `user` | text, or a list of `text` and `image_url` parts | `name` |
| `assistant` | text, a list of `text` and `refusal` parts, or null | `name`, `tool_calls` |
| `tool` | text, or a list of `text` parts | `tool_call_id`, `name` |

`developer` reaches the engine as `system`, a `refusal` part not at all. Any other field of a
message, part, tool or call (`reasoning_content`, `annotations`, `audio`, `cache_control`, …) is
left out. Pictures are `data:` URLs of PNG, JPEG, WebP or GIF, at most {images}; sound and files
are refused. A result of a tool answers a call of the assistant's message just before it, each call
once; `arguments` is the text of a JSON object, or empty.

A model thinks before its answer only if the request or the pool's policy asks for it. Fields that
contradict each other about that are refused. A thought is counted in the answer's limit, and an
answer with a thought ends with `stream_broken` if its machine is lost.

Tools, pictures and JSON formats need an engine that supports them. A 400 `feature_unsupported`
means that no machine of the pool supports it with this model, a 503 `no_node_live` that the
machines which do are offline.
""",
    """
### Messages

| rôle | contenu | aussi |
|---|---|---|
| `system`, `developer` | du texte, ou une liste de parties `text` | `name` |
| `user` | du texte, ou une liste de parties `text` et `image_url` | `name` |
| `assistant` | du texte, une liste de parties `text` et `refusal`, ou null | `name`, `tool_calls` |
| `tool` | du texte, ou une liste de parties `text` | `tool_call_id`, `name` |

`developer` parvient au moteur comme `system`, une partie `refusal` pas du tout. Tout autre champ
d’un message, d’une partie, d’un outil ou d’un appel (`reasoning_content`, `annotations`, `audio`,
`cache_control`, …) est laissé de côté. Les images sont des URL `data:` en PNG, JPEG, WebP ou GIF,
au plus {images} ; le son et les fichiers sont refusés. Le résultat d’un outil répond à un appel du
message de l’assistant qui le précède, une fois par appel ; `arguments` est le texte d’un objet
JSON, ou vide.

Un modèle ne réfléchit avant sa réponse que si la requête ou la politique du parc le demande. Des
champs qui se contredisent là-dessus sont refusés. La réflexion compte dans la longueur de la
réponse, et une réponse qui contient une réflexion se termine par `stream_broken` si sa machine est
perdue.

Les outils, les images et les formats JSON demandent un moteur qui les permet. Une erreur 400
`feature_unsupported` veut dire qu’aucune machine du parc ne le permet avec ce modèle ; une erreur
503 `no_node_live`, que les machines qui le permettent sont hors ligne.
""",
)
EMBEDDINGS = (
    """
### Answer

```json
{{"object": "list", "model": "…",
 "data": [{{"object": "embedding", "index": 0, "embedding": [0.0123, …]}}, …],
 "usage": {{"prompt_tokens": 14, "total_tokens": 14}}, "entraide": {{…}}}}
```

All inputs of a request are one job: one placement, one receipt, `output_tokens` 0. Tokens are
charged as those of a prompt; the promise of its class is kept if the embeddings come within the
time of a first token. Each input, not their sum, must fit the model's context. An answer has at
most 6 MiB (about 1,100 embeddings of 1,024 numbers as `base64`, 300 as numbers); a longer one is a
400 that says to send fewer inputs.

A 400 `feature_unsupported` means that the model computes no embeddings, or (`dimensions`) that no
machine shortens those of this model. `GET /v1/models` lists `embeddings` among the features of a
model, and `embeddings_only` if it writes no text. Over gRPC texts are `inputs`, and the numbers
are in `Done.embeddings`; the Python client has `client.embeddings`.
""",
    """
### Réponse

```json
{{"object": "list", "model": "…",
 "data": [{{"object": "embedding", "index": 0, "embedding": [0.0123, …]}}, …],
 "usage": {{"prompt_tokens": 14, "total_tokens": 14}}, "entraide": {{…}}}}
```

Toutes les entrées d’une requête forment un seul travail : un placement, un reçu, `output_tokens` à
0. Les jetons comptent comme ceux d’une entrée ; la promesse de la classe est tenue si les
plongements arrivent dans le délai d’un premier jeton. C’est chaque entrée, et non leur somme, qui
doit tenir dans le contexte du modèle. Une réponse fait au plus 6 Mio (environ 1 100 plongements de
1 024 nombres en `base64`, 300 en nombres) ; une plus longue est une erreur 400 qui dit d’envoyer
moins d’entrées.

Une erreur 400 `feature_unsupported` veut dire que le modèle ne calcule pas de plongements, ou
(`dimensions`) qu’aucune machine ne raccourcit ceux de ce modèle. `GET /v1/models` donne
`embeddings` parmi ce que sait faire un modèle, et `embeddings_only` s’il n’écrit pas de texte. Par
gRPC, les textes sont dans `inputs` et les nombres dans `Done.embeddings` ; le client Python a
`client.embeddings`.
""",
)
ANY_OTHER = ("\nAny other field is refused.\n", "\nTout autre champ est refusé.\n")
SCHEMAS = (
    """
## JSON schemas

In `response_format` and in `tools`; of all tools together {tools_bytes} bytes.

| of a schema | at most |
|---|---|
| bytes | {bytes} |
| depth | {depth} |
| `minItems`, `maxLength`, …; `{{n,m}}` in a `pattern` | {count} |
| `{{n,m}}` in a group that `{{n,m}}` repeats, multiplied | {nested} |
| these added up | {sum} |
| values in `enum`, added up | {enum} |
| `properties` of all objects, added up | {properties} |
| characters of a `pattern` | {pattern} |
| groups in groups of a `pattern` | {groups} |
| parts of a `pattern` that may be missing | {optional} |

A group that `{{n,m}}` repeats cannot be empty. A minimum is not larger than its maximum. `$ref`
names a part of the same schema, without a cycle of `$ref` alone. `minimum`, `maximum` and similar
bounds are at most 2^53.
""",
    """
## Schémas JSON

Dans `response_format` et dans `tools` ; tous les outils ensemble, {tools_bytes} octets.

| d’un schéma | au plus |
|---|---|
| octets | {bytes} |
| profondeur | {depth} |
| `minItems`, `maxLength`, … ; `{{n,m}}` dans un `pattern` | {count} |
| `{{n,m}}` dans un groupe que `{{n,m}}` répète, multipliés | {nested} |
| la somme de tous | {sum} |
| valeurs dans `enum`, en tout | {enum} |
| `properties` de tous les objets, en tout | {properties} |
| caractères d’un `pattern` | {pattern} |
| groupes dans les groupes d’un `pattern` | {groups} |
| parties facultatives d’un `pattern` | {optional} |

Un groupe que `{{n,m}}` répète ne peut pas être vide. Un minimum n’est pas plus grand que son
maximum. `$ref` nomme une partie du même schéma, sans cycle fait de `$ref` seuls. `minimum`,
`maximum` et les bornes semblables valent au plus 2^53.
""",
)
JSON = (
    """
## JSON

UTF-8 text with one object; no duplicate name in an object, no `NaN` or `Infinity`, no unpaired
surrogate, integers of at most 63 bits where any JSON is allowed, and at most
{containers} objects and lists. Anything else is a 400 `invalid_json` that names the line and
column, or the field.
""",
    """
## JSON

Un texte UTF-8 qui contient un objet ; aucun nom en double dans un objet, pas de `NaN` ni
d’`Infinity`, pas de demi-codet isolé, des entiers d’au plus 63 bits là où tout JSON est permis, et
au plus {containers} objets et listes. Le reste est une erreur 400 `invalid_json`, qui nomme la
ligne et la colonne, ou le champ.
""",
)
OPTIONS = (
    """
## The pool's own options

Each works by a header, by a field of the body's `entraide` object, over gRPC by a field of
`JobOptions`, and in the Python clients by a keyword of that name. A header and the body that
contradict each other are refused (`invalid_request`, with both names).

| header | in `entraide` | gRPC and Python | accepted | effect |
|---|---|---|---|---|
""",
    """
## Les options propres au parc

Chacune se donne par un en-tête, par un champ de l’objet `entraide` du corps, par gRPC dans un
champ de `JobOptions`, et dans les clients Python par un argument de ce nom. Un en-tête et un corps
qui se contredisent sont refusés (`invalid_request`, avec les deux noms).

| en-tête | dans `entraide` | gRPC et Python | accepté | effet |
|---|---|---|---|---|
""",
)
FIELDS = (
    "| field | accepted | effect |\n|---|---|---|\n",
    "| champ | accepté | effet |\n|---|---|---|\n",
)
ANSWERS = (
    """
## Answers

The fields of answers. Those of OpenAI's and Anthropic's answers are as their documents say;
`entraide` is added: a [Receipt](#receipt), not settled yet, with the `explanation` if it was asked
for. A missing value is null, unless a section says otherwise.

**While a request waits.** A whole answer's headers stay open until it is there. A stream gets its
headers after 2 s, so that an earlier refusal has a status, then a comment line every 10 s; with
`waiting_events` also this event, each time that the reason or the place changes, and once the job
is `placed`:

```
event: entraide.waiting
data: {"reason":"no_free_slot","position":3,"retry_after_s":12,"message":"Your question waits: …"}
```

`retry_after_s` is the time within which the answer starts in nine of ten cases, null where nobody
knows. The codes are those of the [explanations](explanations.md). While *no* machine would accept
the request (each one that may run it is paused, silent or at rest), it waits as long as the
policy's `max_wait_s` of its class allows, 60 s by default, or the `max_wait_s` that it asks for;
then it ends with 503 `waited_too_long`, in a stream that has begun with an error event of that
code, which names the path of the explanation (`explanation`). A cap on grams that no machine
keeps, or energy that co-ops lend no more today, counts likewise. So does a [quota of energy or
emissions](../concepts/quotas.md#when-nothing-is-left) that does not suffice: then the error is that
of the quota (429). A line that moves, and a model that is being loaded, are waited for.
""",
    """
## Les réponses

Les champs des réponses. Ceux des réponses d’OpenAI et d’Anthropic sont tels que le disent leurs
documents ; `entraide` s’y ajoute : un [Receipt](#receipt), pas encore définitif, avec
l’`explanation` si elle a été demandée. Une valeur absente est null, sauf si une section dit autre
chose.

**Tant qu’une requête attend.** Les en-têtes d’une réponse entière restent ouverts jusqu’à ce
qu’elle soit là. Un flux reçoit ses en-têtes au bout de 2 s, pour qu’un refus plus rapide ait un
statut, puis une ligne de commentaire toutes les 10 s ; avec `waiting_events`, aussi cet événement,
chaque fois que le motif ou le rang change, et une fois le travail placé (`placed`) :

```
event: entraide.waiting
data: {"reason":"no_free_slot","position":3,"retry_after_s":12,"message":"Votre question attend…"}
```

`retry_after_s` est le délai dans lequel la réponse commence neuf fois sur dix, null si nul ne le
sait. Les codes sont ceux des [explications](explanations.md). Tant qu’*aucune* machine
n’accepterait la requête (chacune de celles qui conviennent est en pause, hors ligne ou mise à
l’écart après des échecs), elle attend ce que permet le `max_wait_s` de sa classe dans la
politique, 60 s à défaut, ou le `max_wait_s` qu’elle demande ; puis elle se termine par 503
`waited_too_long`, dans un flux commencé par un événement d’erreur de ce code, qui donne le chemin
de l’explication (`explanation`). Un plafond de grammes qu’aucune machine ne respecte, ou l’énergie
que les coopératives ne prêtent plus ce jour-là, comptent de même. Il en va ainsi d’un [quota
d’énergie ou d’émissions](../concepts/quotas.md#when-nothing-is-left) qui ne suffit pas : l’erreur
est alors celle du quota (429). Le parc attend, en revanche, une file qui avance et un modèle en
cours de chargement.
""",
)
ANSWER_FIELDS = (
    "| field | kind | meaning |\n|---|---|---|\n",
    "| champ | sorte | sens |\n|---|---|---|\n",
)
ERRORS = (
    """
## Errors

Every refusal has a stable code, a status, and a sentence in the language of `Accept-Language` that
says what is wrong and what to do; without that header, `message` is in English and `message_fr`
beside it in the pool's language. It is an `Error`: `{{"error": ErrorFields}}`; below
`/v1/messages` a `MessageError` with `MessageErrorFields`. *Param*: the field, parameter or header
that the error names, if it always names the same; ‹field› for the one at fault. *Retry*: whether
the same request may succeed later, unchanged. [Errors](errors.md) has the codes of gRPC, too.

| code | HTTP | param | retry | when, and what to do |
|---|---|---|---|---|
{rows}
### Headers of answers

| header | meaning |
|---|---|
{headers}""",
    """
## Les erreurs

Chaque refus a un code stable, un statut, et une phrase, dans la langue d’`Accept-Language`, qui
dit ce qui ne va pas et que faire ; sans cet en-tête, `message` est en anglais, et `message_fr` à
côté dans la langue du parc. C’est un `Error` : `{{"error": ErrorFields}}` ; sous
`/v1/messages`, un `MessageError` avec `MessageErrorFields`. *Param* : le champ, le paramètre ou
l’en-tête que l’erreur nomme, si c’est toujours le même ; ‹champ› pour celui qui est en cause.
*Réessai* : dit si la même requête peut réussir plus tard, sans changement. [Les
erreurs](errors.md) donnent aussi les codes de gRPC.

| code | HTTP | param | réessai | quand, et que faire |
|---|---|---|---|---|
{rows}
### Les en-têtes des réponses

| en-tête | sens |
|---|---|
{headers}""",
)
PATHS = (
    """
## Paths

A key: an API key of the pool, or the session of a person. A session: of a person. A role: a session
whose role may, or the operator's key. A pass: signed by an approved node. `HEAD` is answered as
`GET`, without the body.

| method | path | key | purpose | answer | codes |
|---|---|---|---|---|---|
""",
    """
## Les chemins

Clé : une clé d’API du parc, ou la session d’une personne. Session : celle d’une personne. Rôle :
une session dont le rôle le permet, ou la clé de l’exploitant. Laissez-passer : signé par un nœud
admis. `HEAD` reçoit la réponse de `GET`, sans le corps.

| méthode | chemin | clé | utilité | réponse | codes |
|---|---|---|---|---|---|
""",
)
GROUPS = (
    """
*any*: {any}. With a key also: {keyed}. *job*: {job}.
""",
    """
*tous* : {any}. Avec une clé aussi : {keyed}. *travail* : {job}.
""",
)
QUERY = (
    "\n### Parameters of queries\n\n| path | parameter | accepted | meaning |\n|---|---|---|---|\n",
    "\n### Les paramètres\n\n| chemin | paramètre | accepté | sens |\n|---|---|---|---|\n",
)
WORDS = {
    "string": ("text", "texte"),
    "integer": ("whole number", "nombre entier"),
    "number": ("number", "nombre"),
    "boolean": ("true or false", "vrai ou faux"),
    "object": ("object", "objet"),
    "array": ("list", "liste"),
    "any": ("any JSON", "tout JSON"),
    "null": ("null", "null"),
    "or": (" or ", " ou "),
    "range": ("{kind}, {low} to {high}", "{kind}, de {low} à {high}"),
    "above": ("{kind}, above 0, at most {high}", "{kind}, plus de 0, au plus {high}"),
    "most": ("{kind}, at most {most} {unit}", "{kind}, au plus {most} {unit}"),
    "characters": ("characters", "caractères"),
    "entries": ("entries", "éléments"),
    "list_of": ("list of {item}", "liste de {item}"),
    "required": (" (required)", " (obligatoire)"),
    "optional": (" (if any)", " (s’il y en a)"),
    "yes": ("yes", "oui"),
    "no": ("no", "non"),
    "pass": ("pass", "laissez-passer"),
    "session": ("session", "session"),
    "role": ("role", "rôle"),
    "field": ("‹field›", "‹champ›"),
    "any_codes": ("*any*", "*tous*"),
    "job_codes": ("*job*", "*travail*"),
    "thousands": (",", "\u00a0"),
    "decimal": (".", ","),
}

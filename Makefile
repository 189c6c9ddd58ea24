# Everything here runs in .venv, which the first target makes from the lock files.
# `make help` lists the targets, in the language that sdk/entraide/language.py chooses.

# Python keeps compiled code, even where the environment says otherwise: the demo and the tests start
# many processes, and each takes three times as long without it.
export PYTHONDONTWRITEBYTECODE :=

PY     := .venv/bin/python
PYTEST := $(PY) -m pytest
# Three processes more than there are cores: many tests wait for processes that they started.
# The tests of a file run in one process, which makes what they share once; tests/shares.py says
# which process has a file (``each``), or which files begin (``loadfile``).
PROCESSES := -n $(shell python3 -c 'import os; print(os.cpu_count() + 3)')
# The shares of "each" have no common percentage.
SPREAD := $(PROCESSES) --dist each --no-loadscope-reorder -o console_output_style=classic
THREE  := -n 3 --dist loadfile --no-loadscope-reorder
# The test files with a marker, so that the others are not collected; tests/house/test_marked.py
# holds that no marked test is left out.
marked = $(shell grep -rlE --include='test_*.py' 'mark\.$(1)\b' tests | LC_ALL=C sort)
# A test of real processes that fails runs once more; the summary names it, and it is to be mended.
ONCE_MORE := --timeout=400 --reruns 1 -rR
ENGINES := $(ONCE_MORE) -m "engines and not clients and not long"
MODEL  ?=
FUZZ_S ?= 600
SEEDS  ?= 100
FIRST  ?= 1
NEWER  ?= python3.13
REPLAY := tests/core/test_replay.py
# The folders of test-unit lie in memory where there is much: a flush to a disk takes milliseconds.
MEMORY := $(shell python3 -c 'import shutil; print(shutil.disk_usage("/dev/shm").free > 8e9 and "-p /dev/shm" or "")' 2>/dev/null)
in_memory = folder=$$(mktemp -d $(MEMORY)) && chmod 711 "$$folder" && trap 'rm -rf "$$folder"' EXIT INT TERM && TMPDIR=$$folder $(1)
# test-replay and test-wheel run the others.
UNIT   := -m "not engines and not long" --ignore=$(REPLAY) --ignore=tests/wheel
NEWER_TESTS := tests/contract tests/core tests/node tests/scheduler tests/sdk
NODE_LOCK := scheduler/entraide_scheduler/pool/node.lock
# What runs a pool on the same machine as a node and the simulator: all that a release carries.
RELEASE_LOCK := requirements-release.lock
CLIENT_LOCKS := tests/scanner/wapiti.lock $(wildcard tests/clients/locks/*.lock tests/clients/locks/*/package-lock.json)
MODEL_OPTION := $(if $(MODEL),--model $(MODEL))
CPU_FEATURES := import numpy; print(*numpy.show_config(mode="dicts")["SIMD Extensions"]["found"])

.DEFAULT_GOAL := help
.PHONY: help env demo run test fuzz fuzz-core fuzz-http test-unit test-replay test-replay-seed test-replay-bare \
        test-times test-wheel test-newer test-engines test-with-engines test-chaos \
        test-long test-clients first-month check protos sync-client bench chaos leak-test mutants planted-faults wheel release lock \
        lock-clients clean pages check-pages

help: ## List the targets. | Énumérer les cibles.
	@PYTHONUTF8=1 $(firstword $(wildcard $(PY)) python3) scripts/help.py

env: ## Make or refresh .venv from the lock files. | Créer ou rafraîchir .venv d’après les fichiers de verrouillage.
	@sh scripts/environment.sh

demo: env ## Ask a pool of three co-ops one question, and explain where it ran (MODEL=file.gguf). | Poser une question à un parc de trois coopératives et expliquer où elle a été traitée (MODEL=fichier.gguf).
	@$(PY) -m entraide_scheduler.up.demo $(MODEL_OPTION)

run: env ## Keep that pool up in the foreground until Ctrl-C (MODEL=file.gguf). | Garder ce parc en marche au premier plan jusqu’à Ctrl-C (MODEL=fichier.gguf).
	@.venv/bin/entraide up $(MODEL_OPTION)

# The replays run beside the others, which leave part of a core idle; what they print comes at the
# end.
test: env ## Run the tests and the replays. | Lancer les tests et les rejeux.
	@printed=$$(mktemp); $(MAKE) --no-print-directory test-replay >"$$printed" 2>&1 & rest=$$!; \
	  $(MAKE) --no-print-directory test-unit; unit=$$?; \
	  wait $$rest; rest=$$?; cat "$$printed"; rm -f "$$printed"; exit $$((unit | rest))

test-unit: env ## Run all tests but the engines' and the replays, with warnings as errors. | Lancer tous les tests sauf ceux des moteurs et les rejeux ; un avertissement y est une erreur.
	@$(call in_memory,$(PYTEST) $(SPREAD) $(UNIT))

test-replay: env ## Replay a recorded journal under two hash seeds and without the CPU's extensions. | Rejouer un journal sous deux graines de hachage et sans les extensions du processeur.
	@$(MAKE) --no-print-directory --output-sync=target -j 2 test-replay-seed test-replay-bare

# Both at once. The test of other seeds starts its own processes under both, so that it runs once.
test-replay-seed:
	PYTHONHASHSEED=1 $(PYTEST) -q $(REPLAY)

test-replay-bare:
	PYTHONHASHSEED=2 NPY_DISABLE_CPU_FEATURES="$$($(PY) -c '$(CPU_FEATURES)')" \
	  $(PYTEST) -q $(REPLAY) -k "not other_seeds"

test-times: env ## Run the tests of test-unit and list the twenty dearest files, with wall-clock and CPU time. | Lancer les tests de test-unit et énumérer les vingt fichiers les plus coûteux, avec le temps réel et le temps processeur.
	@$(call in_memory,$(PYTEST) $(SPREAD) -q -p tests.times $(UNIT))

fuzz: env ## Feed every decoder with random bytes for ten minutes in all (FUZZ_S=seconds). | Soumettre chaque décodeur à des octets aléatoires, dix minutes en tout (FUZZ_S=secondes).
	ENTRAIDE_FUZZ_S=$(FUZZ_S) $(PYTEST) $(PROCESSES) -q -m fuzz --timeout=$(FUZZ_S) $(call marked,fuzz)

fuzz-core: env ## Put the scheduler’s core through random worlds, under an oracle that reads events and commands only (SEEDS=n, FIRST=seed). | Soumettre le cœur de l’ordonnanceur à des mondes aléatoires, sous un oracle qui ne lit que les événements et les commandes (SEEDS=n, FIRST=graine).
	@$(PY) -m tests.core.fuzz --seeds $(SEEDS) --first $(FIRST)

fuzz-http: env ## Send a real pool requests made from /openapi.json for ten minutes (FUZZ_S=seconds). | Envoyer à un vrai parc des requêtes tirées de /openapi.json, dix minutes (FUZZ_S=secondes).
	ENTRAIDE_API_FUZZ_S=$(FUZZ_S) $(PYTEST) -q tests/integration/test_api_document.py -m engines

test-wheel: env ## Build the wheel and test it with the sources out of reach. | Construire le paquet wheel et le tester sans les sources.
	$(PY) scripts/wheel_check.py

test-newer: env ## Test what needs no engine with a newer Python, in a clone of its own (NEWER=python3.13). | Tester avec un Python plus récent, dans son propre clone, ce qui ne demande aucun moteur (NEWER=python3.13).
	rm -rf .cache/newer
	git clone -q --shared . .cache/newer
	$(MAKE) -C .cache/newer PYTHON=$(NEWER) UNIT='-q -m "not engines and not long and not checkout" $(NEWER_TESTS)' test-unit

test-engines: test-with-engines test-chaos ## Run the tests that start real engines. | Lancer les tests qui démarrent de vrais moteurs.

# All mostly wait for their processes, so three run at a time.
test-with-engines: env
	$(PYTEST) $(ENGINES) $(THREE) $(filter-out tests/chaos/%,$(call marked,engines))

# These need the machine.
test-chaos: env
	$(PYTEST) $(ENGINES) tests/chaos

test-long: env ## Run the tests that take minutes: long simulations, whole days of a pool. | Lancer les tests de plusieurs minutes : longues simulations, journées entières d’un parc.
	$(PYTEST) $(ONCE_MORE) -m long $(THREE) $(call marked,long)

chaos: env ## Kill and cut the parts of a pool under load for 20 minutes, with outside checks (SEED=n, SHORT=1, MINUTES=n). | Tuer et couper les parties d’un parc chargé pendant 20 minutes, sous contrôle extérieur (SEED=n, SHORT=1, MINUTES=n).
	@$(PY) -m tests.chaos --seed $(or $(SEED),$(error SEED=n is missing)) $(if $(SHORT),--short) $(if $(MINUTES),--minutes $(MINUTES))

first-month: env ## Found, join, use, upgrade and restore a pool from folders of a release, on machines in network namespaces; prints JSON (OUT=file). | Fonder un parc à partir de dossiers d’une version, y adhérer, l’employer, le mettre à niveau et le restaurer, sur des machines séparées ; affiche du JSON (OUT=fichier).
	@$(PY) -m tests.first_month $(if $(OUT),--out $(OUT))

test-clients: env ## Try large client programs against a running pool, each in an environment of its own. | Essayer de gros programmes clients sur un parc en marche, chacun dans son environnement.
	$(PYTEST) tests/clients -m clients

check: env ## Check format, lint, types, imports, protobuf, docs and lock files. | Vérifier le format, le style, les types, les importations, protobuf, les documents et les fichiers de verrouillage.
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --cache-dir .cache/import-linter
	$(PY) scripts/protos.py --check
	$(PY) scripts/sync_client.py --check
	$(PY) scripts/package_picture.py --check
	$(PY) scripts/docs_check.py
	@if grep -n -e '://' -e '^-' requirements*.lock $(NODE_LOCK) $(CLIENT_LOCKS); then echo 'a lock file names an address'; exit 1; fi

check-pages: env ## Build the web pages anew and compare them with the committed ones (needs Node). | Construire de nouveau les pages web et les comparer à celles du dépôt (demande Node).
	$(PY) scripts/pages.py --check

pages: env ## Build the web pages into dashboard/entraide_dashboard/assets (needs Node). | Construire les pages web dans dashboard/entraide_dashboard/assets (demande Node).
	$(PY) scripts/pages.py

protos: env ## Generate the Python code of protos/. | Générer le code Python de protos/.
	$(PY) scripts/protos.py

sync-client: env ## Make the synchronous client from the asynchronous one. | Produire le client synchrone à partir du client asynchrone.
	$(PY) scripts/sync_client.py

bench: env ## Run the benchmarks one after the other, but the hour of steady and the leak test. | Lancer les bancs d’essai l’un après l’autre, sauf l’heure de steady et l’essai de fuite.
	@set -e; for file in $$(ls benchmarks/[a-z]*.py | grep -v "steady\|leak"); do echo "== $$file"; \
	  $(PY) -m benchmarks.$$(basename $$file .py); done

leak-test: env ## Look for one member's prompts in another's answers, counts and times, with a real engine; an hour (ARGS="--trials 60"). | Chercher les demandes d’un membre dans les réponses, les comptes et les temps d’un autre, avec un vrai moteur ; une heure (ARGS="--trials 60").
	@$(PY) -m benchmarks.leak $(ARGS)

mutants: env ## Change the accounting code step by step, and list the changes that no test detects. | Altérer le code de la comptabilité pas à pas et énumérer les changements qu’aucun test ne détecte.
	$(PY) scripts/mutants.py

planted-faults: env ## Plant the faults that an earlier suite detected, and list those that no test detects now. | Planter les fautes qu’une suite antérieure décelait et énumérer celles qu’aucun test ne décèle plus.
	$(PY) scripts/planted_faults.py compare

wheel: env ## Build the wheel into dist/. | Construire le paquet wheel dans dist/.
	$(PY) -m build --wheel --no-isolation --outdir dist .

# KEYS: private keys; what they sign, and who must sign, is in docs/guides/release.md.
release: env ## Make the signed files of a release from this commit (KEYS="a b", ROOTS=folder, TARGETS="a b", WHEELS=folder, PYTHONS=folder, DATE=day). | Produire les fichiers signés d’une version publiée à partir de ce commit (KEYS="a b", ROOTS=dossier, TARGETS="a b", WHEELS=dossier, PYTHONS=dossier, DATE=jour).
	$(PY) scripts/release.py $(if $(ROOTS),--roots $(ROOTS)) $(if $(WHEELS),--from $(WHEELS)) $(if $(PYTHONS),--pythons $(PYTHONS)) $(if $(DATE),--date $(DATE)) \
	  $(KEYS:%=--key %) $(TARGETS:%=--target %)

lock: env ## Pin the dependencies again (UPGRADE=--upgrade for the newest). | Verrouiller de nouveau les dépendances (UPGRADE=--upgrade pour les plus récentes).
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) \
	  --extra scheduler --extra node --extra sim --extra ray --extra postgres --extra dev \
	  --output-file requirements.lock pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --constraint requirements.lock --extra node --output-file $(NODE_LOCK) pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --constraint requirements.lock --extra all --output-file $(RELEASE_LOCK) pyproject.toml

lock-clients: env ## Pin the clients that the tests try again (UPGRADE=--upgrade for the newest). | Verrouiller de nouveau les clients que les tests essaient (UPGRADE=--upgrade pour les plus récents).
	@set -e; cd tests/clients/locks; for file in *.in; do name=$${file%.in}; \
	  $(CURDIR)/.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) \
	    $$(test ! -f $$name.override || echo --override $$name.override) \
	    --output-file $$name.lock $$file; done
	cd tests/scanner && $(CURDIR)/.venv/bin/uv pip compile --quiet --universal --python-version 3.13 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) \
	  --output-file wapiti.lock wapiti.in
	@set -e; for folder in openai-js vercel-ai; do cd $(CURDIR)/tests/clients/locks/$$folder; \
	  npm $(if $(UPGRADE),update,install) --package-lock-only --omit-lockfile-registry-resolved; \
	  node -e 'const f="package-lock.json",l=JSON.parse(fs.readFileSync(f));for(const p of Object.values(l.packages))delete p.funding;fs.writeFileSync(f,JSON.stringify(l,null,2)+"\n")'; done

clean: ## Remove the environment and everything that was built. | Supprimer l’environnement et tout ce qui a été construit.
	rm -rf .venv .cache build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache

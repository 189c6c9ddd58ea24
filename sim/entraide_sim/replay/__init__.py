"""Replay: a recorded journal again, exactly, or its demand under a proposed policy.

``recording`` reads a journal and replays it exactly; ``recorded_history`` collects what the journal
says about the pool's environment; ``counterfactual_replay`` simulates the recorded demand on the
recorded machines; ``policy_comparison`` does so under the old and under a proposed policy;
``report_inputs`` and ``cli_output`` present the results.
"""

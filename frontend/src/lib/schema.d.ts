export interface paths {
    "/v1/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description End whatever session the cookie or the access token names; never fails. */
        post: operations["auth_logout_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Exchange the cookie's token; a token seen before ends its session. */
        post: operations["auth_refresh_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Give a session for a right password; the same 401 whatever was wrong. */
        post: operations["auth_token_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/backtests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Stored back-tests and ablations. */
        get: operations["backtests_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/backtests/{study_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One study with everything a report page draws. */
        get: operations["backtests_one"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/config/{asset}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The version in force and the proposals that wait for approval. */
        get: operations["config_retrieve"];
        /** @description Change fields: tighter ones are in force at once (200), looser ones wait (202). */
        put: operations["config_update"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/config/{asset}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Approve a proposal; 200 when that puts it in force, 202 while more must approve. */
        post: operations["config_approve_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/config/{asset}/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Refuse a proposal for good. */
        post: operations["config_reject_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/kill": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Halt: nothing is sent any more, not even again. */
        post: operations["controls_kill_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description End observe only; the words and a reason are required. */
        post: operations["controls_live_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/observe": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Decisions are computed and stored; nothing is sent. */
        post: operations["controls_observe_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/paper": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description A model trades on live prices with a ledger of its own; nothing is sent. */
        post: operations["controls_paper_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description No new trades; what is in flight is finished. */
        post: operations["controls_pause_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Leave the kill switch to observe only; incident number and reason are required. */
        post: operations["controls_reset_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/controls/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * @description Back to the mode before the pause; a reason is required.
         *
         *     After a loss rule two people order it, each with a second factor.
         */
        post: operations["controls_resume_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/feasibility": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Stored feasibility reports. */
        get: operations["feasibility_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/feasibility/{study_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One feasibility report. */
        get: operations["feasibility_one"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/incidents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Incidents, newest first. */
        get: operations["incidents_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/incidents/{number}/ack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Stop the alarm's repetition; acknowledging twice changes nothing. */
        post: operations["incidents_ack_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/inventory": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Holdings and drift as the engine last said, and each venue's last balances. */
        get: operations["inventory_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/opportunities": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Windows and what was decided on each. */
        get: operations["opportunities_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/paper": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Paper beside live: trades, PnL a trade, capture and latency, and the gap of each. */
        get: operations["paper_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/prediction": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Bias, WAPE, median, calibration, coverage and causes of the predictions' errors. */
        get: operations["prediction_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/prediction/{asset}/propose": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Propose the haircut that the asset's errors ask for; it waits for approval. */
        post: operations["prediction_propose_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/risk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The desk's limits, what is used of them, and the worst case with its inputs. */
        get: operations["risk_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/service-levels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Each promise: target, what was seen of how many, and whether it holds. */
        get: operations["service_levels_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The last status and metrics frames, each with its age, and the stored controls. */
        get: operations["status_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/stream/ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description A ticket bound to this session. */
        post: operations["stream_ticket_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/trades": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Trades with their legs. */
        get: operations["trades_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/trades/{trade_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One trade: legs, the decision behind it, executions and booked changes. */
        get: operations["trades_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/trades/{trade_id}/prediction": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One trade's error by cause. */
        get: operations["trades_prediction_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/trades/{trade_id}/resolutions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description What was ordered for this trade and what came of it. */
        get: operations["trades_resolutions_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/trades/{trade_id}/resolutions/{order_id}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description The second person's yes; the requester's own is refused. */
        post: operations["trades_resolutions_approve_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/trades/{trade_id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Order a way out of OPERATOR, or that a swap is not sent again. */
        post: operations["trades_resolve_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/windows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Windows with every column. */
        get: operations["windows_retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AblationResult
         * @description Everything an ablation found.
         */
        AblationResult: {
            rows: components["schemas"]["AblationRow"][];
            grid: components["schemas"]["GridCell"][];
            best_fixed: {
                [key: string]: string;
            };
        };
        /**
         * AblationRow
         * @description One policy on one scenario. `of_full` is its PnL as a share of the full system's.
         */
        AblationRow: {
            scenario: string;
            policy: string;
            trades: number;
            capture: components["schemas"]["Share"];
            partials: components["schemas"]["Share"];
            pnl_per_hour: components["schemas"]["Estimate"];
            of_full: components["schemas"]["Estimate"];
            tail1_usd: components["schemas"]["Estimate"];
            naked_usd_s_per_hour: components["schemas"]["Estimate"];
        };
        /**
         * AttemptPicture
         * @description What is proven about one attempt; its amounts and times are in the trade's legs.
         *
         *         `evidence` are the entries of its life: an event or a question, when, and the answer.
         */
        AttemptPicture: {
            id: string;
            leg: string;
            seq: number;
            state: string;
            cl_ord_id: string | null;
            order_id: string;
            signature: string | null;
            deadline_ns: number | null;
            last_valid_height: number | null;
            is_booked: boolean;
            evidence: Record<string, never>[];
        };
        /**
         * BalancePicture
         * @description One venue asset's balance in whole units, as that venue reported it.
         */
        BalancePicture: {
            venue: string;
            venue_asset: string;
            asset: string;
            balance: string;
            at_ns: number;
        };
        /**
         * BookFigures
         * @description One book of one asset over a period. Money in USD; None where there is no sample.
         *
         *         `eligible_windows` and `captured_windows` are those decided in that book's mode;
         *         `error_per_trade_usd` is realised minus expected. Latency is detect → both legs filled.
         */
        BookFigures: {
            trades: number;
            both_filled: number;
            eligible_windows: number;
            captured_windows: number;
            realised_usd: string;
            pnl_per_trade_usd: string | null;
            error_per_trade_usd: string | null;
            fills_p50_ms: number | null;
            fills_p95_ms: number | null;
        };
        /**
         * BoundQuote
         * @description The pool leg of a decision: exact amounts at one slot, and until when they bind.
         *
         *         `side` is what happens to the base. Raw units of the two mints; `threshold_raw` is the
         *         least quote out when selling and the most quote in when buying, never looser than the
         *         asset's slippage cap. Past `expires_ns` nothing is sent on it. An aggregator's quote has
         *         its route, when it was asked for, how long the answer took, and what it gives above (+)
         *         or below the direct pool's last known state.
         */
        BoundQuote: {
            /** @enum {unknown} */
            type: "bound_quote";
            intent_key: string;
            asset: string;
            /** @enum {unknown} */
            side: "buy" | "sell";
            pool: string;
            /** @enum {unknown} */
            source: "jupiter" | "pool";
            base_raw: number;
            quote_raw: number;
            threshold_raw: number;
            slippage_cap_bps: string;
            slot: number;
            at_ns: number;
            expires_ns: number;
            /** @default  */
            route_id: string;
            /** @default null */
            asked_at_ns: number | null;
            /** @default null */
            latency_ms: number | null;
            /** @default null */
            delta_bps: number | null;
        };
        /**
         * CauseSums
         * @description Sums of the causes over trades, USD as text; they add up to `error_usd`.
         */
        CauseSums: {
            cex_slip_usd: string;
            dex_slip_usd: string;
            fees_usd: string;
            landing_usd: string;
            residual_usd: string;
            error_usd: string;
        };
        /**
         * Change
         * @description One field of a change; values as text.
         */
        Change: {
            field: string;
            before: string;
            after: string;
            is_looser: boolean;
        };
        /**
         * CommandAnswer
         * @description The database has the command; the engine has not said so yet.
         *
         *         `waiting`: nothing has changed, a second person must order the same within 15 minutes.
         */
        CommandAnswer: {
            command_id: string;
            /** @enum {unknown} */
            state: "accepted" | "waiting";
            control_version: number;
        };
        /**
         * CommandBody
         * @description Which scope ("*" is the whole engine) and why.
         */
        CommandBody: {
            /** @default * */
            scope: string;
            /** @default  */
            reason: string;
        };
        /**
         * ComputeLimit
         * @description The limit of one way, in compute units, and what it was made from.
         *
         *         `source`: "prior" before any sample, "simulation", or "failure" while a swap that ran out
         *         of units has raised it. `largest` is the most that any of the `samples` used, `at_ns` the
         *         time of the newest.
         */
        ComputeLimit: {
            /** @default 200000 */
            units: number;
            /**
             * @default prior
             * @enum {unknown}
             */
            source: "failure" | "prior" | "simulation";
            /** @default 0 */
            samples: number;
            /** @default 0 */
            largest: number;
            /** @default 0 */
            at_ns: number;
        };
        /**
         * ConfigBody
         * @description A change: `version` is the one it was made from; fields left out stay as they are.
         */
        ConfigBody: {
            version?: number;
            reason: string;
            enabled?: boolean;
            /** @enum {unknown} */
            mode?: "halt" | "hedge_only" | "live" | "observe" | "paper" | "stop_new";
            /** @enum {unknown} */
            leg_order?: "auto" | "cex_first" | "concurrent" | "dex_first";
            min_edge_bps?: string;
            min_profit_usd?: string;
            haircut_bps?: string;
            slippage_cap_bps?: string;
            max_notional_usd?: string;
            cex_depth_cap?: string;
            dex_impact_cap_bps?: string;
            daily_notional_cap_usd?: string;
            daily_loss_cap_usd?: string;
            daily_trades_cap?: number;
            max_frame_age_ms?: number;
            max_slot_lag?: number;
            cooldown_ms?: number;
            intents_per_window?: number;
            cu_price_micro_lamports?: number;
            tip_lamports?: number;
            order_deadline_ms?: number;
            max_hedges?: number;
            max_naked_usd?: string;
            max_naked_s?: number;
            inventory_band_pct?: string;
        };
        /**
         * ConfigPicture
         * @description An asset's configuration in force and everything that waits.
         */
        ConfigPicture: {
            asset: string;
            in_force: components["schemas"]["ConfigVersion"];
            proposals: components["schemas"]["Proposal"][];
        };
        /**
         * ConfigVersion
         * @description One version of an asset's configuration; decimals are text.
         */
        ConfigVersion: {
            asset: string;
            version: number;
            status: string;
            enabled: boolean;
            /** @enum {unknown} */
            mode: "halt" | "hedge_only" | "live" | "observe" | "paper" | "stop_new";
            leg_order: string;
            min_edge_bps: string;
            min_profit_usd: string;
            haircut_bps: string;
            slippage_cap_bps: string;
            max_notional_usd: string;
            cex_depth_cap: string;
            dex_impact_cap_bps: string;
            daily_notional_cap_usd: string;
            daily_loss_cap_usd: string;
            daily_trades_cap: number;
            max_frame_age_ms: number;
            max_slot_lag: number;
            cooldown_ms: number;
            intents_per_window: number;
            cu_price_micro_lamports: number;
            tip_lamports: number;
            order_deadline_ms: number;
            max_hedges: number;
            max_naked_usd: string;
            max_naked_s: number;
            inventory_band_pct: string;
            created_by: string;
            reason: string;
            created_at_ns: number;
            in_force_at_ns: number | null;
        };
        /**
         * ControlRow
         * @description One scope's control as the database has it; the engine's word is the status frame.
         *
         *         `leaves_by` says what ends what holds it, `leaves_words` the same for people; `asked_by`
         *         who has ordered a resume that waits for a second person.
         */
        ControlRow: {
            scope: string;
            /** @enum {unknown} */
            mode: "halt" | "hedge_only" | "live" | "observe" | "paper" | "stop_new";
            set_mode: string;
            rules: string[];
            version: number;
            command_id: string;
            actor: string;
            reason: string;
            since_ns: number;
            /** @enum {unknown} */
            leaves_by: "" | "admin" | "by_itself" | "operator" | "second_factor" | "second_person";
            leaves_words: string;
            asked_by: string[];
        };
        /**
         * Credentials
         * @description Who signs in. `code` is needed by users with a second factor.
         */
        Credentials: {
            username: string;
            password: string;
            /** @default  */
            code: string;
        };
        /**
         * DecisionAges
         * @description How old each input was when the decision was made, ms (slot lag in slots).
         *
         *         `clock_skew_ms` is Kraken's clock minus ours: by so much the frame's age may be wrong.
         */
        DecisionAges: {
            frame_ms: number;
            book_ms: number;
            pool_ms: number;
            slot_lag: number;
            mark_ms: number;
            balances_ms: number;
            fees_ms: number;
            /** @default null */
            clock_skew_ms: number | null;
        };
        /**
         * DecisionBody
         * @description Which proposed version, and why.
         */
        DecisionBody: {
            version: number;
            /** @default  */
            reason: string;
        };
        /**
         * DeskLimitsInForce
         * @description The version of the desk's limits in force; decimals are text.
         */
        DeskLimitsInForce: {
            version: number;
            max_open_usd: string;
            daily_notional_cap_usd: string;
            fee_floor_sol: string;
            changed_by: string;
            in_force_at_ns: number | null;
        };
        /**
         * ErrorFigures
         * @description Figures of domain §7. Shares of Σ|expected| unless the name says otherwise.
         *
         *         `coverage80` is the share of errors inside the central 80 % of all EARLIER errors.
         */
        ErrorFigures: {
            n: number;
            bias: number | null;
            wape: number | null;
            median: number | null;
            bps_p5: number | null;
            bps_p50: number | null;
            bps_p95: number | null;
            slope: number | null;
            intercept_usd: number | null;
            coverage80: components["schemas"]["Share"];
        };
        /**
         * Estimate
         * @description A figure with its 95 % interval; None where it cannot be told.
         */
        Estimate: {
            value: number | null;
            low: number | null;
            high: number | null;
            n: number;
        };
        /**
         * Feasibility
         * @description The answer. Gaps are gross, after the pool's fee, in bps of the notional.
         *
         *         `windows_per_day` counts runs of samples above what is needed; its interval is that of
         *         the share of time above it (Wilson on `n_effective`), divided by a run's mean length.
         *         `largest_taker_bps` is the dearest tier at which a window a day is still expected, None
         *         when none is.
         */
        Feasibility: {
            asset: string;
            /** @enum {unknown} */
            verdict: "abstain" | "clears" | "fails";
            why: string;
            taker_bps: string;
            break_even_bps: number;
            needed_bps: number;
            hours: number;
            n: number;
            n_effective: number;
            share_above: number | null;
            windows: number;
            windows_per_day: number | null;
            windows_per_day_low: number | null;
            windows_per_day_high: number | null;
            largest_taker_bps: number | null;
            gap_p50_bps: number | null;
            gap_p95_bps: number | null;
            gap_p99_bps: number | null;
            gap_largest_bps: number | null;
            histogram_edges_bps: number[];
            histogram_counts: number[];
        };
        /**
         * FeasibilityHead
         * @description A stored feasibility report, whole: it is small.
         */
        FeasibilityHead: {
            id: string;
            asset: string;
            verdict: string;
            taker_bps: string;
            source: string;
            source_hash: string;
            version: string;
            created_at_ns: number;
            results: components["schemas"]["Feasibility"];
        };
        /**
         * FeasibilityPage
         * @description Feasibility reports; `next` is None on the last page.
         */
        FeasibilityPage: {
            rows: components["schemas"]["FeasibilityHead"][];
            next: string | null;
        };
        /**
         * Figures
         * @description Everything about one parameter set.
         */
        Figures: {
            label: string;
            windows: number;
            eligible: number;
            capture_count: components["schemas"]["Share"];
            capture_value: components["schemas"]["Estimate"];
            attempt_success: components["schemas"]["Share"];
            partials: components["schemas"]["Share"];
            realised_eligible_usd: string;
            oracle_usd: string;
            attempts: number;
            unfinished: number;
            outcomes: {
                [key: string]: number;
            };
            orders: {
                [key: string]: number;
            };
            limited_by: {
                [key: string]: number;
            };
            blocked_by: {
                [key: string]: number;
            };
            refused_by: {
                [key: string]: number;
            };
            failures: {
                [key: string]: number;
            };
            pnl_usd: string;
            expected_usd: string;
            notional_usd: string;
            terms_usd: {
                [key: string]: string;
            };
            slips_usd: {
                [key: string]: string;
            };
            tail1_usd: string;
            rebalances: number;
            rebalance_cost_usd: string;
            errors: components["schemas"]["ErrorFigures"];
            detect_to_fills_ms: components["schemas"]["Percentiles"];
            detect_to_wire_ms: components["schemas"]["Percentiles"];
            naked_s: components["schemas"]["Percentiles"];
            naked_usd_s: number;
            stops: string[];
            window_table: components["schemas"]["WindowLine"][];
            series: components["schemas"]["Series"];
        };
        /**
         * FillPicture
         * @description One execution; deltas are ours, signed, in whole units.
         */
        FillPicture: {
            venue: string;
            venue_fill_id: string;
            status: string;
            base_delta: string;
            quote_delta: string;
            quote_asset: string;
            fee: string;
            fee_asset: string;
            at_ns: number;
        };
        /**
         * Grant
         * @description An access token (5 minutes) and its user.
         */
        Grant: {
            access: string;
            user: components["schemas"]["UserPicture"];
        };
        /**
         * GridCell
         * @description One cell of competitor strength x chance of landing x fee tier, and what fails there.
         */
        GridCell: {
            strength: number;
            land_p: number;
            fee_bps: number;
            trades: number;
            capture: components["schemas"]["Share"];
            partials: components["schemas"]["Share"];
            pnl_usd: string;
            bias: number | null;
            wape: number | null;
            median_error: number | null;
            fills_p50_ms: number | null;
            fills_p95_ms: number | null;
            fails: string[];
        };
        /**
         * Incident
         * @description An alarm opened, changed or cleared. `number` is what people type.
         */
        Incident: {
            /** @enum {unknown} */
            type: "incident";
            number: number;
            /** @enum {unknown} */
            priority: "critical" | "notice" | "warning";
            /** @enum {unknown} */
            state: "acked" | "closed" | "open";
            asset: string;
            rule: string;
            text: string;
            value: string;
            limit: string;
            opened_at_ns: number;
            /** @default null */
            closed_at_ns: number | null;
            /** @default 0 */
            version: number;
        };
        /**
         * IncidentPage
         * @description Incidents, newest first; `next` is None on the last page.
         */
        IncidentPage: {
            rows: components["schemas"]["Incident"][];
            next: string | null;
        };
        /**
         * Intent
         * @description A keyed decision to trade one size on both venues.
         *
         *         The base quantity is fixed on both legs: exact-out with max-in when buying on the DEX,
         *         exact-in with min-out when selling. `cex_limit_ticks` and `dex_threshold_raw` spend one
         *         edge budget: any pair of fills inside both limits keeps PnL ≥ `min_pnl_usd` less fees.
         *
         *         With a `route` (`quote_source` "jupiter") the swap is an aggregator's, exact in both
         *         ways: a buy gives `dex_threshold_raw` of quote for at least `base_raw`, expected to cost
         *         `dex_expected_quote_raw` of it. Left out where there is none, so that a direct decision
         *         has the same bytes whether or not routes exist. `compute` and `slack` are left out while
         *         nothing has been measured: the prior limit is asked for, the slack split evenly.
         */
        Intent: {
            /** Format: uuid */
            intent_key: string;
            /** Format: uuid */
            window_id: string;
            ordinal: number;
            asset: string;
            /** @enum {unknown} */
            direction: "buy_cex_sell_dex" | "buy_dex_sell_cex";
            /** @enum {unknown} */
            mode: "halt" | "hedge_only" | "live" | "observe" | "paper" | "stop_new";
            spec: components["schemas"]["MarketSpec"];
            qty_lots: number;
            base_raw: number;
            /** @enum {unknown} */
            cex_side: "buy" | "sell";
            cex_limit_ticks: number;
            cex_expected_ticks: number;
            dex_a_to_b: boolean;
            dex_exact_in: boolean;
            dex_expected_quote_raw: number;
            dex_threshold_raw: number;
            tick_array_starts: number[];
            verdict: components["schemas"]["OrderVerdict"];
            pnl: components["schemas"]["PnlTerms"];
            /** Format: decimal */
            notional_usd: string;
            /** Format: decimal */
            min_pnl_usd: string;
            limited_by: string;
            gross_bps: number;
            net_bps: number;
            marks_usd: {
                [key: string]: string;
            };
            ages: components["schemas"]["DecisionAges"];
            book_checksum: number;
            book_venue_at_ns: number;
            pool_slot: number;
            detect_ns: number;
            decided_ns: number;
            config_version: number;
            control_version: number;
            cu_price_micro_lamports: number;
            tip_lamports: number;
            order_deadline_ms: number;
            /**
             * Format: decimal
             * @default 0
             */
            slippage_cap_bps: string;
            /**
             * @default pool
             * @enum {unknown}
             */
            quote_source: "jupiter" | "pool";
            route?: components["schemas"]["RouteQuoted"];
            compute?: components["schemas"]["ComputeLimit"];
            slack?: components["schemas"]["SlackSplit"];
        };
        /**
         * InventoryFrame
         * @description Balances of both venues as last read.
         */
        InventoryFrame: {
            /** @enum {unknown} */
            type: "inventory";
            rows: components["schemas"]["InventoryRow"][];
            at_ns: number;
        };
        /**
         * InventoryPicture
         * @description The engine's last frame (None: never heard) and the stored samples.
         */
        InventoryPicture: {
            frame: components["schemas"]["InventoryFrame"] | null;
            balances: components["schemas"]["BalancePicture"][];
        };
        /**
         * InventoryRow
         * @description One asset's holdings on both venues and its drift from target, percent.
         */
        InventoryRow: {
            asset: string;
            kraken: string;
            solana: string;
            total_usd: string;
            kraken_share_pct: number;
            drift_pct: number;
            limit_pct: number;
        };
        /**
         * LatencyHistogram
         * @description Counts per bin; `edges_us` are upper edges in µs, the last bin is open.
         */
        LatencyHistogram: {
            edges_us: number[];
            counts: number[];
            p50_us: number | null;
            p95_us: number | null;
            p99_us: number | null;
            count: number;
        };
        /**
         * LedgerPicture
         * @description One booked balance change, signed, in whole units.
         */
        LedgerPicture: {
            venue: string;
            venue_asset: string;
            asset: string;
            delta: string;
            kind: string;
            reference: string;
            at_ns: number;
        };
        /**
         * LegRow
         * @description One attempt as the console shows it.
         */
        LegRow: {
            /** @enum {unknown} */
            leg: "cex" | "dex" | "hedge";
            seq: number;
            venue: string;
            side: string;
            state: string;
            qty: string;
            filled: string;
            price: string | null;
            fee_usd: string;
            reference: string;
            sent_at_ns: number | null;
            acked_at_ns: number | null;
            filled_at_ns: number | null;
        };
        /**
         * Level
         * @description One promise: its target, what was seen of how many, and the interval around it.
         */
        Level: {
            name: string;
            target: string;
            seen: string;
            n: number;
            interval: string;
            /** @enum {unknown} */
            verdict: "fails" | "holds" | "no data";
        };
        /**
         * LiveBody
         * @description Going live wants the words typed and, outside the simulator, a second factor.
         */
        LiveBody: {
            /** @default * */
            scope: string;
            /** @default  */
            reason: string;
            /** @enum {unknown} */
            confirm: "GO LIVE";
            /** @default  */
            code: string;
        };
        /**
         * MarketSpec
         * @description One asset on both venues.
         *
         *         `asset` is the unique upper-case key (base asset name). Quote assets are different
         *         assets even when both are called a dollar: `cex_quote` (USD, USDT, USDC) and
         *         `pool_quote` (USDC) are each marked to USD by their own feed.
         */
        MarketSpec: {
            asset: string;
            cex_symbol: string;
            cex_quote: string;
            price_precision: number;
            qty_precision: number;
            price_increment_ticks: number;
            qty_increment_lots: number;
            qty_min_lots: number;
            cost_min: string;
            pool: string;
            /** @enum {unknown} */
            pool_kind: "ammv4" | "cpmm" | "whirlpool";
            pool_quote: string;
            base_mint: string;
            quote_mint: string;
            base_is_a: boolean;
            base_decimals: number;
            quote_decimals: number;
        };
        /**
         * MarkoutFigure
         * @description One horizon: mean signed move over `trades`, and the residuals' drift in USD as text.
         */
        MarkoutFigure: {
            horizon_s: number;
            trades: number;
            mean_bps: number | null;
            residual_drift_usd: string;
        };
        /**
         * MetricsFrame
         * @description Desk figures of the running UTC day and the last 15 minutes, 1 Hz.
         *
         *         Percentile fields are None until there is a sample. Capture counts come with n.
         */
        MetricsFrame: {
            /** @enum {unknown} */
            type: "metrics";
            at_ns: number;
            day: string;
            net_pnl_usd: string;
            expected_pnl_usd: string;
            fills_p50_ms: number | null;
            fills_p95_ms: number | null;
            eligible_windows: number;
            captured_windows: number;
            trades: number;
            verified: number;
            partials: number;
            missed: number;
            notional_usd: string;
            notional_cap_usd: string;
            unhedged_usd: string;
            unhedged_max_usd: string;
            unhedged_max_s: number;
            tick_to_signal: components["schemas"]["LatencyHistogram"];
            signals: number;
            opportunities: number;
            duplicates: number;
        };
        /**
         * Nothing
         * @description An empty object: requests that say everything by their address.
         */
        Nothing: Record<string, never>;
        /**
         * OpportunityPage
         * @description Windows as the console lists them; `next` is None on the last page.
         */
        OpportunityPage: {
            rows: components["schemas"]["OpportunityRow"][];
            next: string | null;
        };
        /**
         * OpportunityRow
         * @description A window as it opens, is decided on, or closes. `version` grows; last wins.
         */
        OpportunityRow: {
            window_id: string;
            version: number;
            asset: string;
            direction: string;
            /** @enum {unknown} */
            state: "closed" | "open";
            /** @enum {unknown} */
            decision: "refused" | "stored" | "taken" | "watched";
            gate: string;
            gate_value: string;
            gate_limit: string;
            gross_bps: number;
            net_bps: number;
            size_usd: string;
            limited_by: string;
            expected_pnl_usd: string;
            opened_at_ns: number;
            closed_at_ns: number | null;
            close_cause: string;
            intent_key: string | null;
        };
        /**
         * OrderVerdict
         * @description Why the legs go out in this order: the policy's inputs and its answer (domain §4).
         */
        OrderVerdict: {
            /** @enum {unknown} */
            order: "cex_first" | "concurrent" | "dex_first";
            p_land: number;
            p_land_lower: number;
            unwind_bps: number;
            drift_bps: number;
            fail_fee_bps: number;
            ev_concurrent_bps: number;
            ev_dex_first_bps: number;
            ev_cex_first_bps: number;
            forced_by_config: boolean;
            /** @default 1 */
            q_fill: number;
            /** @default usual */
            congestion: string;
        };
        /**
         * PaperGap
         * @description Paper beside live for one asset; gaps are paper minus live, None without both.
         */
        PaperGap: {
            asset: string;
            live: components["schemas"]["BookFigures"];
            paper: components["schemas"]["BookFigures"];
            pnl_per_trade_gap_usd: string | null;
            fills_p50_gap_ms: number | null;
            capture_gap: number | null;
        };
        /**
         * PaperPicture
         * @description Both books side by side over one period, by asset.
         */
        PaperPicture: {
            since_ns: number;
            until_ns: number;
            assets: components["schemas"]["PaperGap"][];
        };
        /**
         * Percentiles
         * @description Percentiles of one time, in its own unit; None without observations.
         */
        Percentiles: {
            n: number;
            p50: number | null;
            p95: number | null;
            p99: number | null;
            largest: number | null;
        };
        /**
         * PnlTerms
         * @description Predicted PnL, term by term (domain §3), in USD at the decision's marks.
         *
         *         Costs are positive numbers that are subtracted. The first four terms are those of a
         *         trade that succeeds; `failure_cost` is what not succeeding takes from them on average
         *         (the forgone profit, the failed fee, an unwind), so `expected` = sell_proceeds -
         *         buy_cost - cex_fee - chain_fee - failure_cost is an expectation over outcomes: what
         *         every error metric compares with realised. `decision_value` is what gates use.
         */
        PnlTerms: {
            /** Format: decimal */
            sell_proceeds: string;
            /** Format: decimal */
            buy_cost: string;
            /** Format: decimal */
            cex_fee: string;
            /** Format: decimal */
            chain_fee: string;
            /** Format: decimal */
            failure_cost: string;
            /** Format: decimal */
            expected: string;
            /** Format: decimal */
            haircut: string;
            /** Format: decimal */
            basis_cost: string;
            /** Format: decimal */
            inventory_cost: string;
            /** Format: decimal */
            leg_risk: string;
            /** Format: decimal */
            decision_value: string;
        };
        /**
         * PredictionPage
         * @description All assets together (`*`) first, then each.
         */
        PredictionPage: {
            day: string | null;
            rows: components["schemas"]["PredictionPicture"][];
        };
        /**
         * PredictionPicture
         * @description How right the predictions of one asset (or of all, `*`) were.
         *
         *         `haircut_bps` is in force, `proposed_haircut_bps` what the errors ask for (None: too few
         *         trades, or all assets together).
         */
        PredictionPicture: {
            asset: string;
            figures: components["schemas"]["ErrorFigures"];
            causes: components["schemas"]["CauseSums"];
            haircut_bps: string | null;
            proposed_haircut_bps: string | null;
            markouts: components["schemas"]["MarkoutFigure"][];
        };
        /**
         * Problem
         * @description The body of every 4xx and 5xx. `fields` names each wrong field.
         */
        Problem: {
            code: string;
            detail: string;
            request_id: string;
            /** @default {} */
            fields: {
                [key: string]: string;
            };
        };
        /**
         * Proposal
         * @description A version that waits for approval, and what it would change.
         */
        Proposal: {
            config: components["schemas"]["ConfigVersion"];
            changes: components["schemas"]["Change"][];
            approved_by: string[];
            approvals_needed: number;
        };
        /**
         * ResetBody
         * @description Resetting wants the incident's number typed.
         */
        ResetBody: {
            /** @default * */
            scope: string;
            /** @default  */
            reason: string;
            incident: number;
            /** @default  */
            code: string;
        };
        /**
         * ResolutionList
         * @description Everything ordered for a trade, newest first.
         */
        ResolutionList: {
            rows: components["schemas"]["ResolutionPicture"][];
        };
        /**
         * ResolutionPicture
         * @description One order about a trade as stored; `detail` holds a preview's prices as text.
         */
        ResolutionPicture: {
            id: string;
            trade_id: string;
            /** @enum {unknown} */
            act: "attach" | "flatten" | "keep" | "preview" | "prove" | "stop_resending";
            /** @enum {unknown} */
            state: "done" | "expired" | "refused" | "requested" | "taken" | "waiting";
            venue: string;
            reference: string;
            detail: Record<string, never>;
            user: string;
            reason: string;
            approved_by: string;
            answer: string;
            created_at_ns: number;
            expires_at_ns: number;
            answered_at_ns: number | null;
        };
        /**
         * ResolveBody
         * @description Which act and why; attaching names a venue's record, flattening a preview.
         */
        ResolveBody: {
            /** @enum {unknown} */
            act: "attach" | "flatten" | "keep" | "preview" | "prove" | "stop_resending";
            /**
             * @default
             * @enum {unknown}
             */
            venue: "" | "kraken" | "solana";
            /** @default  */
            reference: string;
            /** @default null */
            preview: string | null;
            /** @default  */
            reason: string;
            /** @default  */
            code: string;
        };
        /**
         * ResumeBody
         * @description After a loss rule resuming wants a second factor outside the simulator.
         */
        ResumeBody: {
            /** @default * */
            scope: string;
            /** @default  */
            reason: string;
            /** @default  */
            code: string;
        };
        /**
         * RiskPicture
         * @description The desk's limits, what all shards use of them, and the residual risk; money as text.
         *
         *         `open_usd`: notional of trades not yet settled, those with an operator included;
         *         `day_usd`: used and reserved over all assets of the UTC day.
         */
        RiskPicture: {
            at_ns: number;
            limits: components["schemas"]["DeskLimitsInForce"];
            open_usd: string;
            day_usd: string;
            worst_case: components["schemas"]["WorstCase"];
        };
        /**
         * RouteAccount
         * @description One account of a pre-built instruction, as its builder asks for it.
         */
        RouteAccount: {
            address: string;
            is_signer: boolean;
            is_writable: boolean;
        };
        /**
         * RouteQuoted
         * @description A bound quote for one asset and direction; raw units, always an exact input.
         *
         *         `min_out` is what the chain guarantees or nothing happens. `slot` is the oldest chain
         *         state that the quote may show. `tick_array_starts` are the arrays of the market's own
         *         pool that the swap may touch. Nothing is decided on it from `expires_ns` on. For people
         *         only: `latency_ms` from asking to having checked it, `delta_bps` what it gives above
         *         (+) or below the direct pool's last known state, None where none was ever known.
         */
        RouteQuoted: {
            /** @enum {unknown} */
            type: "route_quoted";
            asset: string;
            /** @enum {unknown} */
            direction: "buy_cex_sell_dex" | "buy_dex_sell_cex";
            amount_in: number;
            amount_out: number;
            min_out: number;
            route: components["schemas"]["SwapRoute"];
            dexes: string[];
            slot: number;
            tick_array_starts: number[];
            expires_ns: number;
            latency_ms: number;
            delta_bps: number | null;
            at_ns: number;
        };
        /**
         * RouteRow
         * @description The last thing Jupiter answered on one asset and side, beside the direct pool.
         *
         *         `outcome` is `ok` or why there was no quote. `delta_bps` is what it gives above (+) or
         *         below the pool, `latency_delta_ms` how much longer it took; None where one had no quote.
         */
        RouteRow: {
            asset: string;
            /** @enum {unknown} */
            side: "buy" | "sell";
            outcome: string;
            route_id: string;
            asked_at_ns: number;
            latency_ms: number | null;
            latency_delta_ms: number | null;
            delta_bps: number | null;
            lag_slots: number | null;
        };
        /**
         * SecondPersonBody
         * @description The second person's reason and one-time code.
         */
        SecondPersonBody: {
            /** @default  */
            reason: string;
            /** @default  */
            code: string;
        };
        /**
         * Series
         * @description What the report page draws. Times in ms since 1970 UTC; bin edges in bps.
         */
        Series: {
            equity: [
                number,
                number
            ][];
            windows_by_hour: number[];
            captured_by_hour: number[];
            error_bins_bps: number[];
            error_counts: number[];
        };
        /**
         * ServiceLevelPage
         * @description Every promise, over all trades and the running engine's own histograms.
         */
        ServiceLevelPage: {
            rows: components["schemas"]["Level"][];
        };
        /**
         * Share
         * @description `hits` of `n`, with its 95 % interval; None where n is 0.
         */
        Share: {
            hits: number;
            n: number;
            value: number | null;
            low: number | null;
            high: number | null;
        };
        /**
         * SlackSplit
         * @description Which part of a budget's slack the book leg gets (0..1), and what that was made from.
         *
         *         `cex_bps` and `dex_bps` are how far each leg's price moves from its quote (root mean
         *         square, bps of notional), over `trades` observations of the leg that has fewer.
         */
        SlackSplit: {
            /**
             * Format: decimal
             * @default 0.5
             */
            cex_share: string;
            /** @default 0 */
            trades: number;
            /** @default 0 */
            cex_bps: number;
            /** @default 0 */
            dex_bps: number;
            /** @default 0 */
            at_ns: number;
        };
        /**
         * StatusFrame
         * @description The engine's own word about itself: 2 Hz and at every change.
         *
         *         `applied_commands` lists the command ids the engine has applied most recently (newest
         *         last, at most 20): the console turns a command to confirmed only by finding its id.
         */
        StatusFrame: {
            /** @enum {unknown} */
            type: "status";
            /** @enum {unknown} */
            mode: "halt" | "hedge_only" | "live" | "observe" | "paper" | "stop_new";
            beat_ns: number;
            started_at_ns: number;
            epoch: number;
            control_version: number;
            config_version: number;
            applied_commands: string[];
            reasons: components["schemas"]["StopReason"][];
            venues: components["schemas"]["VenueHealth"][];
            open_trades: number;
            unhedged_usd: string;
            profile: string;
            /** @default [] */
            routes: components["schemas"]["RouteRow"][];
        };
        /**
         * StatusPicture
         * @description The engine's last word and figures (None: never heard) beside the stored controls.
         */
        StatusPicture: {
            status: components["schemas"]["StatusFrame"] | null;
            status_age_ms: number | null;
            metrics: components["schemas"]["MetricsFrame"] | null;
            metrics_age_ms: number | null;
            controls: components["schemas"]["ControlRow"][];
        };
        /**
         * StopReason
         * @description Why an asset (or "*", the whole engine) is not trading, with number and limit.
         */
        StopReason: {
            asset: string;
            /** @enum {unknown} */
            mode: "halt" | "hedge_only" | "live" | "observe" | "paper" | "stop_new";
            rule: string;
            text: string;
            value: string;
            limit: string;
            since_ns: number;
        };
        /**
         * StudyHead
         * @description A stored study without its results.
         */
        StudyHead: {
            id: string;
            kind: string;
            source: string;
            source_hash: string;
            seed: number;
            from_ns: number;
            to_ns: number;
            columns: string[];
            version: string;
            took_s: number;
            created_at_ns: number;
        };
        /**
         * StudyPage
         * @description Studies without their results; `next` is None on the last page.
         */
        StudyPage: {
            rows: components["schemas"]["StudyHead"][];
            next: string | null;
        };
        /**
         * StudyPicture
         * @description A whole study: `columns` of a back-test, `ablation` of an ablation, the other empty.
         */
        StudyPicture: {
            head: components["schemas"]["StudyHead"];
            parameters: {
                [key: string]: string;
            }[];
            columns: components["schemas"]["Figures"][];
            ablation: components["schemas"]["AblationResult"] | null;
        };
        /**
         * SwapRoute
         * @description A swap instruction that an aggregator built: a claim to be judged, never trusted.
         *
         *         `route_id` names the plan (a hash of its hops), `asked_at_ns` is when it was asked for;
         *         `context_slot` is the slot it was quoted at, None where the API does not say.
         */
        SwapRoute: {
            route_id: string;
            program: string;
            accounts: components["schemas"]["RouteAccount"][];
            data: string;
            asked_at_ns: number;
            /** @default null */
            context_slot: number | null;
        };
        /**
         * Ticket
         * @description Opens the console socket once, within 30 seconds.
         */
        Ticket: {
            ticket: string;
        };
        /**
         * TradeErrorPicture
         * @description Where one trade's prediction went wrong; no causes before it is booked.
         */
        TradeErrorPicture: {
            expected_usd: string;
            realised_usd: string | null;
            causes: components["schemas"]["CauseSums"] | null;
        };
        /**
         * TradePage
         * @description Trades with their legs; `next` is None on the last page.
         */
        TradePage: {
            rows: components["schemas"]["TradeRow"][];
            next: string | null;
        };
        /**
         * TradePicture
         * @description A trade with the decision behind it, its executions and what was booked.
         *
         *         `quote` is what the pool leg was promised, `intent` the decision with the units its swap
         *         may use and how its limits shared the slack. `verdicts` are the decisions about its
         *         residual, each with the cost of every way out.
         */
        TradePicture: {
            trade: components["schemas"]["TradeRow"];
            intent: components["schemas"]["Intent"];
            quote: components["schemas"]["BoundQuote"];
            attempts: components["schemas"]["AttemptPicture"][];
            fills: components["schemas"]["FillPicture"][];
            ledger: components["schemas"]["LedgerPicture"][];
            verdicts: Record<string, never>[];
        };
        /**
         * TradeRow
         * @description A whole trade; rows travel whole, the highest `version` wins.
         */
        TradeRow: {
            id: string;
            version: number;
            intent_key: string;
            asset: string;
            direction: string;
            policy: string;
            /** @enum {unknown} */
            state: "closed" | "hedging" | "open" | "operator";
            /** @enum {unknown} */
            outcome: "both" | "hedged" | "missed" | "partial" | "pending";
            verified: boolean;
            size_base: string;
            notional_usd: string;
            expected_pnl_usd: string;
            realised_pnl_usd: string | null;
            detect_at_ns: number;
            both_filled_ms: number | null;
            residual_base: string;
            legs: components["schemas"]["LegRow"][];
            closed_at_ns: number | null;
            /** @default  */
            reason: string;
            /**
             * @default live
             * @enum {unknown}
             */
            book: "live" | "paper";
        };
        /**
         * UserPicture
         * @description Who is signed in and what the console may offer; the server checks again each time.
         */
        UserPicture: {
            username: string;
            role: string;
            permissions: ("admin" | "read" | "trade")[];
        };
        /**
         * VenueHealth
         * @description One venue pill. Ages in ms; None = never seen.
         */
        VenueHealth: {
            venue: string;
            /** @enum {unknown} */
            status: "degraded" | "down" | "healthy" | "stale" | "standby";
            proof_age_ms: number | null;
            data_age_ms: number | null;
            limit_ms: number;
            rtt_ms: number | null;
            slot: number | null;
            slot_lag: number | null;
            messages_per_s: number;
            reconnects: number;
            checksum_failures: number;
            endpoint: string;
        };
        /**
         * WindowLine
         * @description One counterfactual window: its life without us, what it was worth, what we made of it.
         */
        WindowLine: {
            window_id: string;
            asset: string;
            direction: string;
            opened_at_ns: number;
            life_ms: number;
            close_cause: string;
            peak_usd: string;
            oracle_usd: string;
            best_size_usd: string;
            gross_bps: number;
            net_bps: number;
            is_eligible: boolean;
            blocked_by: string;
            outcome: string;
            realised_usd: string;
        };
        /**
         * WindowPage
         * @description Whole windows; `next` is None on the last page.
         */
        WindowPage: {
            rows: components["schemas"]["WindowPicture"][];
            next: string | null;
        };
        /**
         * WindowPicture
         * @description A whole window as stored.
         */
        WindowPicture: {
            window_id: string;
            version: number;
            asset: string;
            /** @enum {unknown} */
            direction: "buy_cex_sell_dex" | "buy_dex_sell_cex";
            opened_at_ns: number;
            closed_at_ns: number | null;
            close_cause: string;
            first_slot: number;
            last_slot: number;
            peak_value_usd: string;
            value_seconds_usd: string;
            best_pnl_usd: string;
            best_size_usd: string;
            gross_bps: number;
            net_bps: number;
            limited_by: string;
            intents: number;
            is_eligible: boolean;
            blocked_by: string;
            decision: string;
            gate: string;
            gate_value: string;
            gate_limit: string;
        };
        /**
         * WorstCase
         * @description The number and what it was made from; money as text, in USD.
         *
         *         `usd` is the most with everything the limits allow open at once, `now_usd` with what is
         *         open now. `bound_by` tells whether the assets' limits or the desk's end the notional.
         *         `proof_source` is "measured" where the longest wait of the last month was beyond the
         *         model's.
         */
        WorstCase: {
            usd: string;
            now_usd: string;
            concurrent_trades: number;
            notional_usd: string;
            /** @enum {unknown} */
            bound_by: "assets" | "desk_open";
            adverse_bps: number;
            proof_s: number;
            /** @enum {unknown} */
            proof_source: "measured" | "model";
            volatility_pct_year: number;
            sigmas: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    auth_logout_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    auth_refresh_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grant"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    auth_token_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Credentials"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grant"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    backtests_list: {
        parameters: {
            query?: {
                cursor?: string | null;
                kind?: ("ablation" | "backtest") | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StudyPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    backtests_one: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                study_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StudyPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    config_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                asset: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    config_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version the change was made from, in place of `version` in the body. */
                "If-Match"?: string;
            };
            path: {
                asset: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ConfigBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    config_approve_create: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                asset: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DecisionBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    config_reject_create: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                asset: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DecisionBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_kill_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CommandBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_live_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["LiveBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_observe_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CommandBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_paper_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CommandBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_pause_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CommandBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_reset_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResetBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    controls_resume_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResumeBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    feasibility_list: {
        parameters: {
            query?: {
                asset?: string | null;
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeasibilityPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    feasibility_one: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                study_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeasibilityHead"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    incidents_retrieve: {
        parameters: {
            query?: {
                asset?: string | null;
                cursor?: number | null;
                limit?: number;
                state?: ("acked" | "closed" | "open") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IncidentPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    incidents_ack_create: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                number: number;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    inventory_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InventoryPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    opportunities_retrieve: {
        parameters: {
            query?: {
                asset?: string | null;
                cursor?: string | null;
                decision?: ("refused" | "stored" | "taken" | "watched") | null;
                direction?: ("buy_cex_sell_dex" | "buy_dex_sell_cex") | null;
                gate?: string | null;
                limit?: number;
                min_edge?: string | null;
                since?: string | null;
                until?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpportunityPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    paper_retrieve: {
        parameters: {
            query?: {
                days?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PaperPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    prediction_retrieve: {
        parameters: {
            query?: {
                day?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PredictionPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    prediction_propose_create: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                asset: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    risk_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RiskPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    service_levels_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceLevelPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    status_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stream_ticket_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ticket"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    trades_list: {
        parameters: {
            query?: {
                asset?: string | null;
                book?: "live" | "paper";
                cursor?: string | null;
                limit?: number;
                outcome?: ("both" | "hedged" | "missed" | "partial" | "pending") | null;
                state?: ("closed" | "hedging" | "open" | "operator") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TradePage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    trades_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                trade_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TradePicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    trades_prediction_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                trade_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TradeErrorPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    trades_resolutions_retrieve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                trade_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResolutionList"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    trades_resolutions_approve_create: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
                trade_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SecondPersonBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResolutionPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    trades_resolve_create: {
        parameters: {
            query?: never;
            header: {
                /** @description A new UUID for each command; the same one when a command is sent again. */
                "Idempotency-Key": string;
            };
            path: {
                trade_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResolveBody"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResolutionPicture"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    windows_retrieve: {
        parameters: {
            query?: {
                asset?: string | null;
                cursor?: string | null;
                decision?: ("refused" | "stored" | "taken" | "watched") | null;
                direction?: ("buy_cex_sell_dex" | "buy_dex_sell_cex") | null;
                gate?: string | null;
                limit?: number;
                min_edge?: string | null;
                since?: string | null;
                until?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WindowPage"];
                };
            };
            /** @description Refused or failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
}

"""Writes objectives.json: losses and gradients of RL objectives by torch autograd in float64.

Made with Python 3.11, torch 2.15.0 and trl 1.16.0 (transformers 5.23.0, accelerate 1.15.0,
datasets 5.2.0) on a CPU; about 15 s:

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 trl==1.16.0
    venv/bin/python tests/golden/objectives/make_objectives.py

The inputs come from Python's random.Random(SEED) and are short decimals, so they read back exactly.

Layout of objectives.json. A row is one segment; rows of a rollout are adjacent and in order.
  rows      rollout, and per predicted position t: logits[t] (V numbers), targets[t], mask[t] (1 =
            trained; prompt and tool positions are 0 and hold values that must be ignored),
            old_log_prob, sampler_log_prob, reference_log_prob (nats), value, old_value.
  rollouts  group (ids ascend, members adjacent) and reward.
  cases     name, params (every constant), loss (of the whole batch), d_logits (as nested as logits,
            0 at masked positions, rounded to 12 decimals), advantages (one per rollout, or per row
            and position where params.advantages_per is "token"), d_value (PPO only).
  trl       the loss of trl.trainer.grpo_trainer.GRPOTrainer._compute_loss itself on the same rows;
            `case` names the case of ours that it equals, max_difference the largest difference
            between the two d_logits (asserted below 1e-12).

Conventions: r = pi / pi_old (current over old), rho = pi_old / pi_sampler,
k1 = log pi - log pi_ref; rho and everything under sg() is constant. T = number of trained tokens,
N = number of rollouts; a "sequence" is one row (segment).
  clip          -min(r A, clip(r, 1 - low, 1 + high) A)
  dual clip     for A < 0: min(clip loss, -c A);   two-sided: -min(min(r, delta) A, clip(r) A)
  policy grad   -A log pi
  cispo         -sg(clamp(r, lower, upper)) A log pi
  gspo          s = exp(mean of log r over the row's trained tokens); clip loss of s, once a row
  gspo_token    s_t = sg(s) pi_t / sg(pi_t); clip loss of s_t, mean over the row
  k1, k2, k3    k1; k1^2 / 2; exp(-k1) - 1 + k1;   k3_k2_gradient: value k3, gradient of k2
  k3_importance r k3, gradient through both factors
  entropy       minus coefficient * mean over T of H = -sum_v p_v log p_v
  opsm          drops rows with A < 0 and mean of log(pi_old / pi) > delta over trained tokens
  sequence_is   min(product of rho over the row's trained tokens, upper), on each of its tokens
  geometric     keeps rows whose exp(mean of log rho over trained tokens) lies in [low, high]
  mis           clamp(rho, 0, 2) times geometric;  tis: clamp(rho, 0, 2);  icepop: rho in bounds
  masks         icepop, geometric, mis, opsm multiply the policy loss by 0; the denominator still
                counts the token, but for geometric_renormalized, whose denominator does not
  rollout_mean  each rollout 1/N, mean over all its trained tokens in all its rows
  segment_mean  each row 1/rows;  global_token_mean: sum / T
  sum_over_rollouts_l_max: sum / (N L_max)
  group_std     (R - mean) / (std + epsilon), unbiased std; 0 in a group of equal rewards
  whiten        (A - mean) / sqrt(var + epsilon) over the trained tokens of all rows, unbiased var
  gae           old_value is V of the state before the token; a trained token's successor is the
                next trained token, so V' and A' pass unchanged over masked positions; V' = 0 after
                the last; return G = A + old_value before whitening. Scope "row": each row is an
                episode of its own and gets the whole reward at its last trained token. Scope
                "rollout": rows are chained, the reward is at the last row's last trained token.
  value loss    coefficient * mean over T of max((V - G)^2, (clip(V, old +- c) - G)^2) / 2

trl: _compute_loss runs on a stand-in object that has only the settings it reads. TRL works on rows,
so its dr_grpo divides by rows where ours divides by rollouts; max_completion_length is set to
L_max * rollouts / rows to compare. Not called: TRL's advantages and importance ratios (inside
_generate_and_score_completions, which also generates; it uses epsilon 1e-4), its RLOO (one sequence
ratio with clip, not the plain policy gradient) and its PPO (not in this version).
"""

import json
import math
import pathlib
import random
import types
from collections import defaultdict

import torch
from trl import __version__ as trl_version
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import entropy_from_logits, selective_log_softmax

SEED = 20250114
V = 11
REWARDS = [[1.0, 0.25, 0.6, 0.0], [0.9, 0.1, 0.1, 0.75], [0.2, 1.0, 0.55], [0.3, 0.3, 0.3]]
SEGMENTS = {1: 2, 4: 3, 9: 2, 12: 2}  # rollout -> number of rows; 1 elsewhere
# log r of the first trained token of these rows: beyond dual clip c, delta and both CISPO bounds.
LOG_RATIO_OUTLIERS = {0: 1.7, 3: 1.45, 4: 1.62, 7: -1.4, 8: 1.25, 14: 1.5}
LOG_RHO_OUTLIERS = {0: 0.95, 2: -0.9, 5: -0.85, 6: 0.8, 9: 0.9, 15: -1.0}  # second trained token
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# ------------------------------------------------------------------------------------- inputs


def draw_mask(rng, length):
    """Prompt positions first, then trained tokens with one tool observation inside long rows."""
    mask = [1] * length
    prompt = 1 if length < 6 else rng.randint(1, 2)
    mask[:prompt] = [0] * prompt
    if length >= 5:
        tool = 1 if length < 8 else 2
        begin = rng.randint(prompt + 1, length - tool - 1)
        mask[begin : begin + tool] = [0] * tool
    return mask


def draw_row(rng, index, rollout):
    length = 3 + (index * 5 + 2) % 7  # 3..9, every length occurs
    mask = draw_mask(rng, length)
    row = {"rollout": rollout, "logits": [], "targets": [], "mask": mask}
    for key in ("old_log_prob", "sampler_log_prob", "reference_log_prob", "value", "old_value"):
        row[key] = []
    shift = (-0.35, 0.1, 0.0, -0.1, 0.35)[index % 5]  # of log rho, for the geometric mean
    drift = rng.choice([-0.1, 0.0, 0.1])  # of log r, for sequence ratios and OPSM
    trained = 0
    for t in range(length):
        log_ratio = drift + rng.uniform(-0.5, 0.5)
        log_rho = shift + rng.gauss(0, 0.15)
        trained += mask[t]
        if mask[t] and trained == 1:
            log_ratio = LOG_RATIO_OUTLIERS.get(index, log_ratio)
        if mask[t] and trained == 2:
            log_rho = LOG_RHO_OUTLIERS.get(index, log_rho)
        while True:  # log-probabilities are negative
            logits = [round(rng.gauss(0, 1.2), 3) for _ in range(V)]
            target = rng.randrange(V)
            log_prob = logits[target] - math.log(sum(map(math.exp, logits)))
            old = round(log_prob - log_ratio, 6)
            sampler = round(old - log_rho, 6)
            reference = round(log_prob + rng.gauss(0, 0.4), 6)
            if max(old, sampler, reference) < -0.01:
                break
        old_value = round(rng.uniform(-1, 1), 3)
        row["logits"].append(logits)
        row["targets"].append(target)
        row["old_log_prob"].append(old)
        row["sampler_log_prob"].append(sampler)
        row["reference_log_prob"].append(reference)
        row["old_value"].append(old_value)
        row["value"].append(round(old_value + rng.uniform(-0.8, 0.8), 3))
    return row


def draw_batch():
    rng = random.Random(SEED)
    rollouts = [{"group": g, "reward": r} for g, rewards in enumerate(REWARDS) for r in rewards]
    rows = []
    for i in range(len(rollouts)):
        for _ in range(SEGMENTS.get(i, 1)):
            rows.append(draw_row(rng, len(rows), i))
    return rows, rollouts


ROWS, ROLLOUTS = draw_batch()
N = len(ROLLOUTS)
MASKS = [torch.tensor(row["mask"], dtype=torch.float64) for row in ROWS]
T = sum(int(m.sum()) for m in MASKS)


def column(key):
    return [torch.tensor(row[key]) for row in ROWS]


OLD, SAMPLER, REFERENCE = (column(k + "_log_prob") for k in ("old", "sampler", "reference"))
OLD_VALUE = column("old_value")
RHO = [torch.exp(o - s) for o, s in zip(OLD, SAMPLER)]


# ------------------------------------------------------------------------------------- advantages


def by_group(f):
    return [a for rewards in REWARDS for a in f(torch.tensor(rewards)).tolist()]


def group_std(epsilon=1e-6):
    def f(r):
        return torch.zeros_like(r) if r.max() == r.min() else (r - r.mean()) / (r.std() + epsilon)

    return by_group(f)


def group_mean():
    return by_group(lambda r: torch.zeros_like(r) if r.max() == r.min() else r - r.mean())


def leave_one_out():
    return by_group(lambda r: r - (r.sum() - r) / (len(r) - 1))


def plain_reward():
    return [rollout["reward"] for rollout in ROLLOUTS]


def over_tokens(per_rollout):
    """Copies each rollout's advantage to every position of its rows."""
    return [torch.full((len(r["mask"]),), per_rollout[r["rollout"]]) for r in ROWS]


def moments(tokens):
    x = torch.cat([a[m > 0] for a, m in zip(tokens, MASKS)])
    return x.mean(), x.var(unbiased=True)


def whiten_rollouts(per_rollout, epsilon):
    mean, var = moments(over_tokens(per_rollout))
    return [float((a - mean) / torch.sqrt(var + epsilon)) for a in per_rollout]


def gae_of_trained(values, reward, gamma, lam):
    """A_t = sum over l of (gamma lam)^l delta_{t+l}, over trained tokens alone."""
    n = len(values)
    after = values[1:] + [0.0]
    rewards = [0.0] * (n - 1) + [reward]
    delta = [rewards[t] + gamma * after[t] - values[t] for t in range(n)]
    return [sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, n)) for t in range(n)]


def gae_by_recursion(values, mask, reward, gamma, lam):
    """The same by the backward recursion that carries V' and A' over masked positions."""
    last = max(t for t, m in enumerate(mask) if m)
    next_value = next_advantage = 0.0
    result = [0.0] * len(mask)
    for t in reversed(range(len(mask))):
        if mask[t]:
            delta = (reward if t == last else 0.0) + gamma * next_value - values[t]
            next_advantage = delta + gamma * lam * next_advantage
            next_value = values[t]
            result[t] = next_advantage
    return result


def gae(gamma, lam, scope):
    episodes = defaultdict(list)  # positions (row, t) of each episode, trained or not
    for i, row in enumerate(ROWS):
        key = i if scope == "row" else row["rollout"]
        episodes[key] += [(i, t) for t in range(len(row["mask"]))]
    advantages = [torch.zeros(len(row["mask"])) for row in ROWS]
    for positions in episodes.values():
        reward = ROLLOUTS[ROWS[positions[0][0]]["rollout"]]["reward"]
        trained = [(i, t) for i, t in positions if ROWS[i]["mask"][t]]
        values = [ROWS[i]["old_value"][t] for i, t in trained]
        for (i, t), a in zip(trained, gae_of_trained(values, reward, gamma, lam)):
            advantages[i][t] = a
        check = gae_by_recursion(
            [ROWS[i]["old_value"][t] for i, t in positions],
            [ROWS[i]["mask"][t] for i, t in positions], reward, gamma, lam)
        assert all(abs(advantages[i][t] - c) < 1e-12 for (i, t), c in zip(positions, check))
    return advantages


# ------------------------------------------------------------------------------------- losses


def clipped(ratio, a, low, high, delta=None):
    capped = ratio if delta is None else torch.clamp(ratio, max=delta)
    return -torch.minimum(capped * a, torch.clamp(ratio, 1 - low, 1 + high) * a)


def dual_clipped(ratio, a, low, high, c):
    loss = clipped(ratio, a, low, high)
    return torch.where(a < 0, torch.minimum(loss, -c * a), loss)


def row_mean(x, mask):
    return (x * mask).sum() / mask.sum()


def aggregate(losses, how, l_max=None, counted=None):
    """One number from per-token losses of every row."""
    sums = [(loss * m).sum() for loss, m in zip(losses, MASKS)]
    counts = [m.sum() for m in MASKS]
    if how == "global_token_mean":
        return sum(sums) / (sum(counts) if counted is None else counted)
    if how == "segment_mean":
        return sum(s / c for s, c in zip(sums, counts)) / len(sums)
    if how == "sum_over_rollouts_l_max":
        return sum(sums) / (N * l_max)
    assert how == "rollout_mean"
    total = 0.0
    for i in range(N):
        mine = [k for k, row in enumerate(ROWS) if row["rollout"] == i]
        total = total + sum(sums[k] for k in mine) / sum(counts[k] for k in mine)
    return total / N


class Terms:
    """Differentiable quantities of one evaluation."""

    def __init__(self, logits, value):
        self.value = value
        log_softmax = [torch.log_softmax(x, -1) for x in logits]
        self.log_prob = [
            x.gather(-1, torch.tensor(row["targets"])[:, None])[:, 0]
            for x, row in zip(log_softmax, ROWS)
        ]
        self.entropy = [-(x.exp() * x).sum(-1) for x in log_softmax]
        self.ratio = [torch.exp(p - o) for p, o in zip(self.log_prob, OLD)]
        self.sequence_ratio = [
            torch.exp(row_mean(p - o, m)) for p, o, m in zip(self.log_prob, OLD, MASKS)
        ]
        self.k1 = [p - q for p, q in zip(self.log_prob, REFERENCE)]


def clip_case(advantages, low, high, how, **more):
    a = over_tokens(advantages)
    l_max = more.get("l_max")

    def loss(t):
        terms = zip(t.ratio, a)
        if "dual_clip_c" in more:
            tokens = [dual_clipped(r, x, low, high, more["dual_clip_c"]) for r, x in terms]
        else:
            tokens = [clipped(r, x, low, high, more.get("delta")) for r, x in terms]
        return aggregate(tokens, how, l_max)

    return loss


def policy_gradient(advantages):
    a = over_tokens(advantages)
    return lambda t: aggregate([-x * p for x, p in zip(a, t.log_prob)], "global_token_mean")


def cispo(advantages, lower, upper):
    a = over_tokens(advantages)

    def loss(t):
        weight = [torch.clamp(r, min=lower, max=upper).detach() for r in t.ratio]
        tokens = [-w * x * p for w, x, p in zip(weight, a, t.log_prob)]
        return aggregate(tokens, "global_token_mean")

    return loss


def gspo(advantages, low, high):
    a = [torch.tensor(advantages[row["rollout"]]) for row in ROWS]
    return lambda t: sum(
        clipped(s, x, low, high) for s, x in zip(t.sequence_ratio, a)) / len(ROWS)


def gspo_token(advantages, low, high):
    a = over_tokens(advantages)

    def loss(t):
        ratio = [s.detach() * torch.exp(p - p.detach())
                 for s, p in zip(t.sequence_ratio, t.log_prob)]
        return aggregate([clipped(r, x, low, high) for r, x in zip(ratio, a)], "segment_mean")

    return loss


def k3(k1):
    return torch.exp(-k1) - 1 + k1


def kl_tokens(t, kind):
    if kind == "k1":
        return t.k1
    if kind == "k2":
        return [k * k / 2 for k in t.k1]
    if kind == "k3":
        return [k3(k) for k in t.k1]
    if kind == "k3_importance":
        return [r * k3(k) for r, k in zip(t.ratio, t.k1)]
    assert kind == "k3_k2_gradient"
    return [(k3(k) - k * k / 2).detach() + k * k / 2 for k in t.k1]


def plus_kl(base, kind, coefficient):
    return lambda t: base(t) + coefficient * aggregate(kl_tokens(t, kind), "global_token_mean")


def plus_entropy(base, coefficient):
    return lambda t: base(t) - coefficient * aggregate(t.entropy, "global_token_mean")


def weighted(advantages, low, high, weights, counted=None):
    """Clip loss times a constant weight per token; weights(t) gives one tensor per row."""
    a = over_tokens(advantages)

    def loss(t):
        tokens = [w * clipped(r, x, low, high) for w, r, x in zip(weights(t), t.ratio, a)]
        return aggregate(tokens, "global_token_mean", counted=counted)

    return loss


def geometric_keep(low, high):
    means = [torch.exp(row_mean(torch.log(rho), m)) for rho, m in zip(RHO, MASKS)]
    return [torch.ones_like(m) * float(low <= g <= high) for g, m in zip(means, MASKS)]


def icepop_weights(low, high):
    return [torch.where((rho >= low) & (rho <= high), rho, torch.zeros_like(rho)) for rho in RHO]


def sequence_weights(upper):
    """min(product of rho, upper), the log of the product bounded to +-20 first."""
    logs = [torch.clamp((torch.log(rho) * m).sum(), -20, 20) for rho, m in zip(RHO, MASKS)]
    return [torch.ones_like(m) * torch.clamp(torch.exp(x), max=upper)
            for x, m in zip(logs, MASKS)]


def opsm_keep(t, advantages, delta):
    keep = []
    for p, o, m, row in zip(t.log_prob, OLD, MASKS, ROWS):
        drop = advantages[row["rollout"]] < 0 and row_mean(o - p.detach(), m) > delta
        keep.append(torch.ones_like(m) * (0.0 if drop else 1.0))
    return keep


def ppo(advantages, returns, low, high, value_clip, value_coefficient):
    def loss(t):
        policy = [clipped(r, a, low, high) for r, a in zip(t.ratio, advantages)]
        value = []
        for v, old, g in zip(t.value, OLD_VALUE, returns):
            near = torch.maximum(torch.minimum(v, old + value_clip), old - value_clip)
            value.append(0.5 * torch.maximum((v - g) ** 2, (near - g) ** 2))
        return aggregate(policy, "global_token_mean") + value_coefficient * aggregate(
            value, "global_token_mean")

    return loss


# ------------------------------------------------------------------------------------- cases


def leaves():
    logits = [torch.tensor(row["logits"], requires_grad=True) for row in ROWS]
    value = [torch.tensor(row["value"], requires_grad=True) for row in ROWS]
    return logits, value


def evaluate(loss):
    logits, value = leaves()
    result = loss(Terms(logits, value))
    result.backward()
    d_logits = [torch.zeros_like(x) if x.grad is None else x.grad for x in logits]
    d_value = [torch.zeros_like(x) if x.grad is None else x.grad for x in value]
    for g, h, m in zip(d_logits, d_value, MASKS):
        assert torch.all(g[m == 0] == 0) and torch.all(h[m == 0] == 0)
        assert torch.all(g.sum(-1).abs() < 1e-14)  # softmax: each position's gradient sums to 0
    return float(result.detach()), d_logits, d_value


def check_by_differences(name, loss, d_logits):
    """Central differences at 40 trained logits, for losses without a stopped gradient."""
    rng = random.Random(name)
    logits, value = leaves()
    step = 1e-6
    with torch.no_grad():
        for _ in range(40):
            i = rng.randrange(len(ROWS))
            t = rng.choice([t for t, m in enumerate(ROWS[i]["mask"]) if m])
            v = rng.randrange(V)
            ends = []
            for sign in (1, -1):
                logits[i][t, v] += sign * step
                ends.append(float(loss(Terms(logits, value))))
                logits[i][t, v] -= sign * step
            difference = (ends[0] - ends[1]) / (2 * step)
            assert abs(difference - float(d_logits[i][t, v])) < 2e-9, (name, i, t, v)


STOPPED = ("cispo", "gspo_token", "kl_k3_k2_gradient")  # differences do not apply

GROUP_STD = {"advantage": "group_std", "std": "unbiased", "epsilon": 1e-6}
WHITEN = {"variance": "unbiased", "epsilon": 1e-8, "form": "(A - mean) / sqrt(var + epsilon)",
          "over": "trained tokens of all rows"}


def policy_cases():
    """(name, params, loss, advantages per rollout)"""
    std, no_std, loo, plain = group_std(), group_mean(), leave_one_out(), plain_reward()
    tokens = "global_token_mean"

    def clip_params(low, high, how, advantage=GROUP_STD, **more):
        return {**advantage, "loss": "clip", "clip_low": low, "clip_high": high,
                "aggregation": how, **more}

    def clip(name, low, high, how, advantages=std, advantage=GROUP_STD, **more):
        return (name, clip_params(low, high, how, advantage, **more),
                clip_case(advantages, low, high, how, **more), advantages)

    yield clip("grpo", 0.2, 0.2, "rollout_mean")
    yield clip("grpo_segment_mean", 0.2, 0.2, "segment_mean")
    yield clip("dr_grpo", 0.2, 0.2, "sum_over_rollouts_l_max", no_std,
               {"advantage": "group_mean"}, l_max=16)
    yield clip("dapo", 0.2, 0.28, tokens)
    yield clip("bnpo", 0.2, 0.2, tokens)
    for suffix, low, high in (("", 3e-4, 4e-4), ("_wide", 0.2, 0.28)):
        for name, make in (("gspo", gspo), ("gspo_token", gspo_token)):
            params = clip_params(low, high, "segment_mean", ratio=name)
            yield name + suffix, params, make(std, low, high), std
    for name, lower, upper, note in (
            ("cispo", None, 1.28, "upper is 1 + eps_high, eps_high = 0.28; no lower bound"),
            ("cispo_trl", None, 5.0, "upper is eps_high itself, eps_high = 5; no lower bound"),
            ("cispo_lower", 0.8, 1.28, "1 - eps_low and 1 + eps_high")):
        params = {**GROUP_STD, "loss": "cispo", "lower": lower, "upper": upper, "bounds": note,
                  "aggregation": tokens}
        yield name, params, cispo(std, lower, upper), std
    plain_loss = {"loss": "policy_gradient", "aggregation": tokens}
    yield "rloo", {"advantage": "leave_one_out", **plain_loss}, policy_gradient(loo), loo
    yield "reinforce", {"advantage": "reward", **plain_loss}, policy_gradient(plain), plain
    for name, base, kind in (("reinforce_pp", plain, "reward"),
                             ("reinforce_pp_baseline", no_std, "group_mean")):
        yield clip(name, 0.2, 0.2, tokens, whiten_rollouts(base, WHITEN["epsilon"]),
                   {"advantage": kind, "whiten": WHITEN})
    yield clip("dual_clip", 0.2, 0.28, tokens, dual_clip_c=3.0)
    yield clip("two_sided", 0.2, 0.28, tokens, delta=4.0)
    base = clip_case(std, 0.2, 0.28, tokens)
    for kind in ("k1", "k2", "k3", "k3_k2_gradient", "k3_importance"):
        params = clip_params(0.2, 0.28, tokens, kl=kind, kl_coefficient=0.05)
        yield "kl_" + kind, params, plus_kl(base, kind, 0.05), std
    yield ("entropy", clip_params(0.2, 0.28, tokens, entropy_coefficient=0.01),
           plus_entropy(base, 0.01), std)
    yield from correction_cases(std, clip_params)


def correction_cases(std, clip_params):
    """Corrections for the sampler's mismatch; each multiplies the dapo token loss."""
    keep = geometric_keep(0.8, 1.25)
    kept = sum(float((k * m).sum()) for k, m in zip(keep, MASKS))
    geometric = {"geometric_low": 0.8, "geometric_high": 1.25, "sequence": "row"}
    truncated = [torch.clamp(rho, 0.0, 2.0) for rho in RHO]
    both = [k * w for k, w in zip(keep, truncated)]
    table = [
        ("tis", truncated, None, {"rho_low": 0.0, "rho_high": 2.0}),
        ("icepop", icepop_weights(0.5, 2.0), None, {"rho_low": 0.5, "rho_high": 2.0}),
        ("sequence_is", sequence_weights(2.0), None,
         {"upper": 2.0, "sequence": "row", "log_bound": 20.0}),
        ("geometric", keep, None, {**geometric, "denominator": "all trained tokens"}),
        ("geometric_renormalized", keep, kept, {**geometric, "denominator": "kept tokens"}),
        ("mis", both, None, {**geometric, "rho_low": 0.0, "rho_high": 2.0,
                             "denominator": "all trained tokens"}),
    ]
    for name, weights, counted, constants in table:
        params = clip_params(0.2, 0.28, "global_token_mean", correction=name, **constants)
        yield name, params, weighted(std, 0.2, 0.28, lambda t, w=weights: w, counted), std
    params = clip_params(0.2, 0.28, "global_token_mean", correction="opsm", delta_mean_kl=0.03,
                         sequence="row", denominator="all trained tokens")
    yield "opsm", params, weighted(std, 0.2, 0.28, lambda t: opsm_keep(t, std, 0.03)), std


def ppo_cases():
    """(name, params, loss, whitened advantages per token)"""
    gamma, lam, epsilon = 0.99, 0.95, WHITEN["epsilon"]
    for name, scope, value_clip in (("ppo_gae", "row", 0.2),
                                    ("ppo_gae_value_clip_half", "row", 0.5),
                                    ("ppo_gae_chained", "rollout", 0.2)):
        raw = gae(gamma, lam, scope)
        mean, var = moments(raw)
        advantages = [(a - mean) / torch.sqrt(var + epsilon) * m for a, m in zip(raw, MASKS)]
        returns = [a + v for a, v in zip(raw, OLD_VALUE)]
        params = {"advantage": "gae", "gamma": gamma, "lambda": lam, "scope": scope,
                  "whiten": WHITEN, "advantages_per": "token", "loss": "clip", "clip_low": 0.2,
                  "clip_high": 0.2, "aggregation": "global_token_mean", "value_clip": value_clip,
                  "value_coefficient": 0.5, "value_half": 0.5}
        yield name, params, ppo(advantages, returns, 0.2, 0.2, value_clip, 0.5), advantages


def check_kinks():
    """No token sits where the two sides of a bound have different derivatives."""
    t = Terms(*leaves())
    ratios = torch.cat([r[m > 0] for r, m in zip(t.ratio, MASKS)])
    sequence = torch.stack(t.sequence_ratio)
    rho = torch.cat(RHO)
    geometric = torch.stack([torch.exp(row_mean(torch.log(x), m)) for x, m in zip(RHO, MASKS)])
    moved = torch.cat([(v - o)[m > 0] for v, o, m in zip(t.value, OLD_VALUE, MASKS)]).abs()
    for x, bounds in ((moved, (0.2, 0.5)), (ratios, (0.8, 1.2, 1.28, 3, 4, 5)),
                      (rho, (0.5, 2)), (sequence, (1 - 3e-4, 1 + 4e-4, 0.8, 1.28, math.exp(-0.03))),
                      (geometric, (0.8, 1.25))):
        for bound in bounds:
            assert (x - bound).abs().min() > 1e-4, bound
            assert (x < bound).any() and (x > bound).any(), bound


# ------------------------------------------------------------------------------------- trl


def padded(rows):
    width = max(len(r) for r in rows)
    filler = [torch.zeros(width - len(r), *r.shape[1:], dtype=r.dtype) for r in rows]
    return torch.stack([torch.cat([r, f]) for r, f in zip(rows, filler)])


def trl_stand_in(logits, loss_type, settings):
    """What GRPOTrainer._compute_loss reads from self, with TRL's own softmax helpers."""
    args = types.SimpleNamespace(delta=settings.get("delta"), steps_per_generation=1,
                                 use_bias_correction_kl=settings.get("bias_correction", False))
    coefficient = settings.get("entropy_coef", 0.0)
    accelerator = types.SimpleNamespace(
        num_processes=1, sync_gradients=False, gather=lambda x: x,
        reduce=lambda x, reduction: x)

    def log_probs(model, input_ids, attention_mask, logits_to_keep, **_):
        ids = input_ids[:, -logits_to_keep:]
        return selective_log_softmax(logits, ids), entropy_from_logits(logits), None

    return types.SimpleNamespace(
        _get_per_token_logps_and_entropies=log_probs, aux_loss_enabled=False,
        top_entropy_quantile=1.0, off_policy_mask_threshold=settings.get("opsm"),
        importance_sampling_level=settings.get("level", "token"), beta=settings.get("beta", 0.0),
        args=args, loss_type=loss_type, epsilon_low=settings.get("low", 0.2),
        epsilon_high=settings["high"], use_vllm="weights" in settings,
        vllm_importance_sampling_correction=True, model=types.SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1, accelerator=accelerator,
        max_completion_length=settings.get("max_completion_length"),
        _entropy_bonus_enabled=coefficient != 0, use_adaptive_entropy=False,
        entropy_coef=coefficient, _metrics=defaultdict(lambda: defaultdict(list)),
        get_off_policy_mask=GRPOTrainer.get_off_policy_mask)


def trl_loss(loss_type, advantages, settings):
    leaf = [torch.tensor(row["logits"], requires_grad=True) for row in ROWS]
    mask = padded(MASKS)
    inputs = {
        "prompt_ids": torch.zeros(len(ROWS), 1, dtype=torch.long),
        "prompt_mask": torch.ones(len(ROWS), 1),
        "completion_ids": padded([torch.tensor(row["targets"]) for row in ROWS]),
        "completion_mask": padded([torch.ones_like(m) for m in MASKS]), "tool_mask": mask,
        "advantages": torch.tensor([advantages[row["rollout"]] for row in ROWS]),
        "old_per_token_logps": padded(OLD), "ref_per_token_logps": padded(REFERENCE),
        "num_items_in_batch": mask.sum()}
    if "weights" in settings:
        inputs["importance_sampling_ratio"] = padded(settings["weights"])
    stand_in = trl_stand_in(padded(leaf), loss_type, settings)
    loss = GRPOTrainer._compute_loss(stand_in, None, inputs)
    loss.backward()
    return float(loss.detach()), [x.grad for x in leaf]


def trl_cases(ours):
    """ours: name -> (loss, d_logits, advantages)."""
    dapo = {"low": 0.2, "high": 0.28}
    l_max = 16 * N / len(ROWS)
    table = [
        ("grpo_segment_mean", "grpo", {"high": 0.2}),
        ("dr_grpo", "dr_grpo", {"high": 0.2, "max_completion_length": l_max}),
        ("dapo", "dapo", dapo),
        ("bnpo", "bnpo", {"high": 0.2}),
        ("gspo", "grpo", {"low": 3e-4, "high": 4e-4, "level": "sequence"}),
        ("gspo_wide", "grpo", {**dapo, "level": "sequence"}),
        ("cispo_trl", "cispo", {"high": 5.0}),
        ("two_sided", "dapo", {**dapo, "delta": 4.0}),
        ("kl_k3", "dapo", {**dapo, "beta": 0.05}),
        ("kl_k3_importance", "dapo", {**dapo, "beta": 0.05, "bias_correction": True}),
        ("entropy", "dapo", {**dapo, "entropy_coef": 0.01}),
        ("opsm", "dapo", {**dapo, "opsm": 0.03}),
        ("tis", "dapo", {**dapo, "weights": [torch.clamp(rho, 0, 2) for rho in RHO]}),
    ]
    result = []
    for case, loss_type, settings in table:
        expected_loss, expected, advantages = ours[case]
        loss, d_logits = trl_loss(loss_type, advantages, settings)
        difference = max(float((a - b).abs().max()) for a, b in zip(d_logits, expected))
        assert abs(loss - expected_loss) < 1e-12 and difference < 1e-12, (case, difference)
        params = {k: v for k, v in settings.items() if k != "weights"}
        if "weights" in settings:
            params["importance_sampling_ratio"] = "given: clamp(rho, 0, 2)"
        result.append({"name": "trl_" + case, "case": case, "loss": loss,
                       "max_difference": difference, "params": {"loss_type": loss_type, **params}})
    return result


# ------------------------------------------------------------------------------------- output


def short(x):
    """Rounds to 12 decimals; 0 is written as 0."""
    if isinstance(x, list):
        return [short(y) for y in x]
    y = round(x, 12)
    return 0 if y == 0 else y


def lines(items):
    return "[\n" + ",\n".join(json.dumps(x, separators=(",", ":")) for x in items) + "\n]"


def main():
    check_kinks()
    cases, ours = [], {}
    print(f"{len(ROWS)} rows, {N} rollouts, {T} trained tokens")
    print(f"{'case':26}{'loss':>22}{'max |d_logits|':>16}{'tokens with gradient':>22}")
    everything = [(c, False) for c in policy_cases()] + [(c, True) for c in ppo_cases()]
    for (name, params, loss, advantages), with_value in everything:
        value, d_logits, d_value = evaluate(loss)
        if not name.startswith(STOPPED):
            check_by_differences(name, loss, d_logits)
        case = {"name": name, "params": params, "loss": value}
        if with_value:
            case["advantages"] = short([a.tolist() for a in advantages])
            case["d_value"] = short([d.tolist() for d in d_value])
        else:
            case["params"]["advantages_per"] = "rollout"
            case["advantages"] = short(advantages)
        case["d_logits"] = short([d.tolist() for d in d_logits])
        cases.append(case)
        ours[name] = value, d_logits, advantages
        largest = max(float(d.abs().max()) for d in d_logits)
        moved = sum(int((d.abs().sum(-1) > 0).sum()) for d in d_logits)
        print(f"{name:26}{value:22.16f}{largest:16.6g}{moved:22d}")
    for name in ("gspo", "gspo_wide"):  # equal where a sequence has one advantage
        token = name.replace("gspo", "gspo_token")
        for a, b in zip(ours[name][1], ours[token][1]):
            assert (a - b).abs().max() < 1e-15
    trl = trl_cases(ours)
    for case in trl:
        print(f"{case['name']:26}{case['loss']:22.16f}  differs by {case['max_difference']:.2g}")
    header = {"seed": SEED, "vocabulary": V, "torch": torch.__version__.split("+")[0],
              "trl": trl_version}
    text = "".join(
        [json.dumps(header)[:-1], ',\n"rollouts": ', lines(ROLLOUTS), ',\n"rows": ', lines(ROWS),
         ',\n"cases": ', lines(cases), ',\n"trl": ', lines(trl), "}\n"])
    json.loads(text)
    path = pathlib.Path(__file__).parent / "objectives.json"
    path.write_text(text)
    print(f"{path.name}: {len(text)} bytes, {len(cases)} cases, {len(trl)} of trl")


if __name__ == "__main__":
    main()

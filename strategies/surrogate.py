"""Prototype."""
from __future__ import annotations
from bisect import insort
from collections.abc import Callable
import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata
from nas.objective import Fitness
from nas.search import Facts, Proposal
from nas.space import Choices, Genotype
from strategies.encoding import Encoding, genotypes, rows
from strategies.gaussian_process import Inputs, Kernel, Posterior, tuned
from strategies.listing import designs


class Costs:
    """memo of facts, and regression"""
    def __init__(self, facts, encoding, known=256):
        self.facts = facts; self.enc = encoding; self.memo = {}; self.order = []; self.names = None; self.left = 0; self.cap = known
        self.unit = None; self.failed = {}; self.bound = None
    def fail(self, g, t):
        self.failed[g] = t
    def look(self, gs, limit):
        out = []
        for g in gs:
            if g not in self.memo:
                if limit <= 0: continue
                limit -= 1
                f = self.facts(g)
                if self.names is None and f.costs: self.names = tuple(sorted(f.costs))
                if f.costs: self.memo[g] = (np.array([f.costs[n] for n in self.names]), f.excess)
                else: self.memo[g] = (None, 1.0)
                if f.costs: self.order.append(g); self.learn(self.memo[g])
            out.append(g)
        return out
    def learn(self, known):
        costs, e = known
        if not np.isfinite(e): return
        if self.bound is None:
            self.bound = np.zeros(len(costs)); self.witness = np.full(len(costs), np.nan); self.sure = np.zeros(len(costs), bool)
        r = costs / (1 + e)
        higher = r > self.bound * (1 + 1e-9)
        same = np.abs(r - self.bound) <= 1e-9 * self.bound
        if e > 0: self.sure |= same & (np.abs(e - self.witness) > 1e-9)
        self.bound[higher] = r[higher]; self.witness[higher] = e if e > 0 else np.nan; self.sure[higher] = False
    def limits(self):
        return {j: self.bound[j] for j in np.flatnonzero(self.sure)} if self.bound is not None else {}
    def used(self, gs):
        c = np.array([self.memo[g][0] for g in gs])
        return np.max([c[:, j] / l for j, l in self.limits().items()], axis=0) if self.limits() else self.log(gs).sum(1)
    def start(self):
        if self.unit is None and self.order:
            med = np.median([self.memo[g][0] for g in self.order], axis=0)
            self.unit = np.where(med > 0, med, 1.0)
        self.model = None
    def log(self, gs):
        return np.log1p(np.array([self.memo[g][0] for g in gs]) / self.unit)


class Surrogate:
    def __init__(self, choices: Choices, rng: np.random.Generator, blind=10, cap=300, lookups=30, opts=None):
        self.c = choices; self.rng = rng; self.enc = Encoding(choices); self.facts = None
        self.blind = blind; self.cap = cap; self.lookups = lookups
        self.o = dict(transform='rank', xi=0.0, costs=True, rounds=3, incumbent='best', big=0.5) | (opts or {})
        self.asked: set = set(); self.told = {}; self.bad = {}; self.outstanding = []
        self.rank = []; self.recent = []
        self.kernel = Kernel(); self.fitted = 0
        self.list = designs(choices)
        self.k = len(choices)
    def inform(self, facts):
        self.facts = Costs(facts, self.enc)
    def tell(self, p, fitness):
        g = p.genotype
        if g in self.outstanding: self.outstanding.remove(g)
        if g in self.told or g in self.bad: return
        if fitness[0] < 0: self.bad[g] = -fitness[0]
        else: self.told[g] = fitness[0]
    def ask(self):
        g = self._choose()
        self.asked.add(g); self.outstanding.append(g)
        return Proposal(g)
    # ---
    def _unseen(self, genes):
        out = {}
        for g in genotypes(genes):
            if g not in self.asked: out[g] = None
        return list(out)
    def _fallback(self):
        for g in self.list:
            if g not in self.asked: return g
        return max(self.told, key=self.told.get) if self.told else next(iter(self.asked))
    def _choose(self):
        cands = self._unseen(self.enc.sample(self.rng, 200))
        if not cands:
            g = self._fallback()
            if g in self.asked: return g
            cands = [g]
        if self.facts is not None:
            return self._informed(cands)
        if len(self.told) < self.blind: return cands[0]
        self._fit(None)
        return self._maximise(cands, None)
    def _informed(self, cands):
        F = self.facts
        if F.unit is None:
            F.look(cands, self.lookups); F.start()
        n = len(self.told) + len(self.outstanding)
        if len(self.told) < self.blind:
            got = F.look(cands, self.lookups)
            pool = [g for g in F.order if g not in self.asked and F.memo[g][1] <= 0]
            if pool:
                if n % 2 == 0 and self.o['big']:
                    L = F.used(pool); return pool[int(np.argmax(L))]
                return pool[int(self.rng.integers(len(pool)))]
            if F.order:
                pool = [g for g in F.order if g not in self.asked] or cands
                # descend
                near = sorted(pool, key=lambda g: F.memo[g][1] if g in F.memo else 9)[:10]
                mut = self._unseen(self.enc.mutants(np.repeat(rows(near, self.k), 10, 0), self.rng))
                got = F.look(mut, self.lookups) or near
                return min(got + near, key=lambda g: F.memo[g][1] if g in F.memo else 9)
            return cands[0]
        self._fit(F)
        arms = self.o.get('arms', (0.1, 0.01))
        if arms and n % self.o.get('every', 2) == 0 and F.limits():
            g = self._near(cands, F, arms[n // self.o.get('every', 2) % len(arms)])
            if g is not None: return g
        return self._maximise(cands, F)
    def _near(self, cands, F, share):
        fit = [g for g in F.order if F.memo[g][1] <= 0]
        u = F.used(fit)
        top = [fit[i] for i in np.argsort(-u, kind='stable')[:10]]
        new = cands + self._unseen(self.enc.mutants(np.repeat(rows(top, self.k), 20, 0), self.rng))
        new = [g for g in dict.fromkeys(new) if g not in F.memo]
        if new:
            L, _ = self._predict_costs(new)
            C = np.expm1(L) * F.unit
            pu = np.max([C[:, j] / l for j, l in F.limits().items()], axis=0)
            far = np.abs(np.log(np.maximum(pu, 1e-9)))
            F.look([new[i] for i in np.argsort(far, kind='stable')], self.lookups)
            fit = [g for g in F.order if F.memo[g][1] <= 0]
        open_ = [g for g in fit if g not in self.asked]
        if not open_: return None
        u = F.used(open_)
        count = max(1, int(share * len(fit)))
        least = np.sort(u)[-min(count, len(u))]
        pool = [g for g, x in zip(open_, u) if x >= least * (1 - 1e-9)]
        if len(pool) > 500: pool = [pool[i] for i in self.rng.permutation(len(pool))[:500]]
        return pool[int(np.argmax(self._acq(pool, F, exact=True)))]
    def _subset(self):
        gs = list(self.told)
        if len(gs) <= self.cap: return gs
        best = sorted(gs, key=self.told.get)[-self.cap // 2:]
        keep = set(best)
        for g in reversed(gs):
            if len(keep) >= self.cap: break
            keep.add(g)
        return [g for g in gs if g in keep]
    def _transform(self, y):
        t = self.o['transform']
        if t == 'rank':
            return ndtri((rankdata(y) - 0.5) / len(y))
        if t == 'raw':
            return (y - y.mean()) / (y.std() + 1e-12)
        if t == 'winsor':
            med = np.median(y); up = y.max() - med
            y = np.maximum(y, med - 2 * up)
            return (y - y.mean()) / (y.std() + 1e-12)
        if t == 'mix':
            r = ndtri((rankdata(y) - 0.5) / len(y))
            med = np.median(y); up = y.max() - med
            y = np.maximum(y, med - 2 * up)
            return (r + (y - y.mean()) / (y.std() + 1e-12))/2
        if t == 'log':
            gap = y.max() - y; s = np.median(gap) * self.o.get('eps', 0.3) + 1e-12
            z = -np.log(gap + s)
            return (z - z.mean()) / (z.std() + 1e-12)
    def _inputs(self, gs, logs):
        X = self.enc.features(rows(gs, self.k))
        C = (logs - self.cm) / self.cs if logs is not None else np.zeros((len(gs), 0))
        return Inputs(X, C)
    def _fit(self, F):
        gs = self._subset()
        y = self._transform(np.array([self.told[g] for g in gs]))
        logs = None
        if F is not None and self.o['costs']:
            known = [g for g in gs]
            F.look(known, 10**9)
            logs = F.log(gs); self.cm = logs.mean(0); self.cs = logs.std(0) + 1e-9
        inp = self._inputs(gs, logs)
        if len(self.told) >= self.fitted * 1.05 + 1:
            m = inp.costs.shape[1]
            if len(self.kernel.trend) != m: self.kernel = Kernel(trend=(self.o.get('t0', 0.3),) * m)
            self.kernel = tuned(self.kernel, inp, y); self.fitted = len(self.told)
        self.gp = Posterior(self.kernel, inp, y)
        self.target = y.max() if self.o['incumbent'] == 'best' else self.gp.mean(inp).max()
        out = [g for g in self.outstanding if g not in self.told]
        if F is not None: out = [g for g in out if g in F.memo and F.memo[g][0] is not None]
        if out:
            oi = self._inputs(out, F.log(out) if logs is not None else None)
            fant = self.gp.mean(oi)
            sc = self.gp.scale
            self.gp = Posterior(self.kernel, Inputs(np.vstack([inp.genes, oi.genes]), np.vstack([inp.costs, oi.costs])), np.concatenate([y, fant]))
            self.gp.scale = sc
        self.top = sorted(gs, key=self.told.get)[::-1][:10]
        if F is not None:
            ref = F.order[-F.cap:]
            self.ref = self.enc.features(rows(ref, self.k))
            T = F.log(ref); lab = np.array([-1.0 if F.memo[g][1] <= 0 else 0.5 + 0.5 * min(1, F.memo[g][1]) for g in ref])
            self.rm = np.column_stack([T, lab]); self.rmean = self.rm.mean(0)
            self.rk = Kernel(linear=3.0, reach=self.k / 2 + 1)
            Z = Inputs(self.ref, np.zeros((len(ref), 0)))
            g_ = self.rk(Z, Z); g_.flat[::len(ref) + 1] += 1e-4
            self.rw = np.linalg.solve(g_, self.rm - self.rmean)
    def _predict_costs(self, gs):
        X = Inputs(self.enc.features(rows(gs, self.k)), np.zeros((len(gs), 0)))
        P = self.rk(X, Inputs(self.ref, np.zeros((len(self.ref), 0)))) @ self.rw + self.rmean
        return P[:, :-1], P[:, -1]
    def _acq(self, gs, F, exact=False):
        if F is None:
            inp = self._inputs(gs, None); pof = 1.0
        elif exact:
            inp = self._inputs(gs, F.log(gs) if self.o['costs'] else None); pof = 1.0
        else:
            L, lab = self._predict_costs(gs)
            inp = self._inputs(gs, L if self.o['costs'] else None); pof = np.where(lab > 0, 1e-3 * np.exp(-lab), np.where(lab > -0.5, 0.3, 1.0))
        m, s = self.gp.predict(inp)
        z = (m - self.target - self.o['xi']) / s
        # log EI, safe
        pdf = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        ei = s * (z * ndtr(z) + pdf)
        ei = np.where(z > -6, ei, s * pdf / (z * z + 2))
        return np.log(np.maximum(ei, 1e-300)) + np.log(pof)
    def _maximise(self, cands, F):
        pool = {}
        new = list(cands[:100])
        P = np.concatenate([np.repeat(rows(self.top[:3], self.k), 30, 0), np.repeat(rows(self.top, self.k), 6, 0)])
        new += self._unseen(self.enc.mutants(P, self.rng))
        new += self._unseen(self.enc.mutants(self.enc.mutants(P, self.rng), self.rng))
        for r in range(self.o['rounds'] + 1):
            new = [g for g in dict.fromkeys(new) if g not in pool]
            if new:
                for g, a in zip(new, self._acq(new, F)): pool[g] = a
            if r == self.o['rounds']: break
            ranked = sorted(pool, key=pool.get, reverse=True)[:10]
            new = self._unseen(self.enc.mutants(np.repeat(rows(ranked, self.k), 10, 0), self.rng))
        ranked = sorted(pool, key=pool.get, reverse=True)
        if F is None: return ranked[0]
        short = ranked[:60]
        # unknown ones cost a lookup
        got = F.look(short, self.lookups)
        got = [g for g in got if F.memo[g][1] <= 0]
        if not got:
            got = [g for g in F.order if g not in self.asked and F.memo[g][1] <= 0][-100:]
        if not got:
            return min(F.look(short, 0) or short, key=lambda g: F.memo[g][1] if g in F.memo else 9)
        a = self._acq(got, F, exact=True)
        return got[int(np.argmax(a))]

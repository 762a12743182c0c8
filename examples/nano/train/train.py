# Trains a llama-architecture model on x.u16 / y.u16 / off.u32 (from tokenizer.mjs). Debian: python3-torch, libopenblas0-pthread.
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python3 train.py DIR minutes
# env: PROCS=2 two processes | RESUME=1 go on from DIR/model.pt | INIT=../nano.gguf start from these weights | LR LREND ALR (learning rates)
#      TOK (tokens a step and process) WSTART (weight of the first words of an answer) SEED DIM LAYERS HEADS HIDDEN
# Batches hold whole conversations of like length (no packing). Muon for the matrices, AdamW for embedding and norms.
import sys, os, time, math, json, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
d = sys.argv[1]; limit = float(sys.argv[2]) * 60
PROCS = int(os.environ.get('PROCS', 1)); rank = 0 # PROCS=2: two processes with their own batches, which average their gradients (faster than two threads)
if PROCS == 2: import torch.multiprocessing as mp; gate = mp.Barrier(2); share = torch.zeros(2, 4_000_000).share_memory_(); rank = 0 if os.fork() else 1
torch.manual_seed(int(os.environ.get('SEED', 1))); torch.set_num_threads(1); env = lambda k, v: type(v)(os.environ.get(k, v)); rng = np.random.default_rng(env('SEED', 1) + 1000 * rank)
V = len(json.load(open(d + '/tok.json'))['tokens']); D, L, H, FF, TOK = env('DIM', 128), env('LAYERS', 5), env('HEADS', 4), env('HIDDEN', 352), env('TOK', 2304); hd = D // H; MAXS = 832
rd = lambda n, t: np.fromfile(f'{d}/{n}', dtype=t)
def load():
    global X, Y, off, N, lens, stamp
    stamp = os.path.getmtime(d + '/off.u32'); X, Y, off = rd('x.u16', np.uint16), rd('y.u16', np.uint16), rd('off.u32', np.uint32).astype(np.int64); N = len(off) - 1; lens = np.diff(off)
load()
f = 1.0 / (10000 ** (torch.arange(0, hd, 2).float() / hd)); ang = torch.outer(torch.arange(MAXS).float(), f); COS, SIN = torch.cat([ang.cos()] * 2, 1), torch.cat([-ang.sin(), ang.sin()], 1)
def rope(x, S): # half-split pairs (i, i + hd/2); save() permutes to the interleaved pairs of GGUF llama
    return x * COS[:S] + torch.cat([x[..., hd // 2:], x[..., :hd // 2]], -1) * SIN[:S]
class RMS(nn.Module):
    def __init__(s): super().__init__(); s.w = nn.Parameter(torch.ones(D))
    def forward(s, x): return x * (x.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * s.w
WSTART = env('WSTART', 3.0); BOOST = torch.zeros(V) # words that must be copied or computed weigh more
if os.path.exists(d + '/boost.json'): BOOST[json.load(open(d + '/boost.json'))] = 2.0
MASK = torch.full((MAXS, MAXS), float('-inf')).triu(1)
class Blk(nn.Module):
    def __init__(s):
        super().__init__(); s.n1 = RMS(); s.n2 = RMS(); lin = lambda i, o: nn.Linear(i, o, bias=False)
        s.q, s.k, s.v, s.o = lin(D, D), lin(D, D), lin(D, D), lin(D, D); s.g, s.u, s.d = lin(D, FF), lin(D, FF), lin(FF, D)
    def forward(s, x):
        b, S, _ = x.shape; h = s.n1(x); sp = lambda t: t.view(b, S, H, hd).transpose(1, 2).reshape(b * H, S, hd)
        q, k, v = rope(sp(s.q(h)), S), rope(sp(s.k(h)), S), sp(s.v(h))
        a = torch.baddbmm(MASK[:S, :S], q, k.transpose(1, 2), alpha=1 / math.sqrt(hd)).softmax(-1) @ v
        x = x + s.o(a.view(b, H, S, hd).transpose(1, 2).reshape(b, S, D)); h = s.n2(x)
        return x + s.d(F.silu(s.g(h)) * s.u(h))
class M(nn.Module):
    def __init__(s):
        super().__init__(); s.e = nn.Embedding(V, D); s.b = nn.ModuleList([Blk() for _ in range(L)]); s.n = RMS()
        for n, p in s.named_parameters():
            if p.dim() > 1: nn.init.normal_(p, 0, 0.04 / (math.sqrt(2 * L) if n.endswith(('o.weight', 'd.weight')) else 1))
    def forward(s, x, y): # logits only where there is something to learn; the first words of an answer decide, so they weigh more
        w = 1 + BOOST[y]; st = (x == 4).float() * WSTART; [w[:, k:].add_(st[:, :x.shape[1] - k]) for k in range(min(6, x.shape[1]))]
        x = s.e(x)
        for b in s.b: x = b(x)
        y = y.flatten(); i = y.nonzero()[:, 0]; w = w.flatten()[i]
        return (F.cross_entropy(s.n(x.flatten(0, 1)[i]) @ s.e.weight.t(), y[i], reduction='none') * w).sum() / w.sum()
m = M(); rank or print('params', sum(p.numel() for p in m.parameters()), 'vocab', V, 'docs', N, 'tokens', len(X), flush=True)
def order(b): return [b.n1.w, b.q.weight, b.k.weight, b.v.weight, b.o.weight, b.n2.w, b.g.weight, b.d.weight, b.u.weight]
allw = lambda: [m.e.weight, m.n.w] + [t for b in m.b for t in order(b)]
inter = lambda w: w.view(H, 2, hd // 2, D).transpose(1, 2).reshape(D, D)
def save():
    o = [m.e.weight, m.n.w]
    for b in m.b: l = order(b); l[1], l[2] = inter(l[1].detach()), inter(l[2].detach()); o += l
    np.concatenate([t.detach().numpy().ravel() for t in o]).astype('<f4').tofile(d + '/weights.tmp'); os.replace(d + '/weights.tmp', d + '/weights.f32')
    json.dump({'dim': D, 'layers': L, 'heads': H, 'kvHeads': H, 'hidden': FF, 'vocab': V}, open(d + '/config.json', 'w'))
    torch.save(m.state_dict(), d + '/model.pt')
def load_gguf(path): # the weights are the last part of the file, in the order of allw()
    w = torch.from_numpy(np.fromfile(path, dtype=np.uint8)[-4 * sum(p.numel() for p in m.parameters()):].copy().view('<f4')); k = 0
    for t in allw(): t.data = w[k:k + t.numel()].view_as(t).clone(); k += t.numel()
    for b in m.b:
        for t in (b.q.weight, b.k.weight): t.data = t.data.view(H, hd // 2, 2, D).transpose(1, 2).reshape(D, D).contiguous()
if os.environ.get('INIT'): load_gguf(os.environ['INIT'])
if os.environ.get('RESUME'): m.load_state_dict(torch.load(d + '/model.pt'))
mats = [p for n, p in m.named_parameters() if p.dim() == 2 and not n.startswith('e.')]; groups = {}
for p in mats: groups.setdefault(tuple(sorted(p.shape)), []).append(p)
mom = {p: torch.zeros_like(p) for p in mats}
adam = torch.optim.AdamW([{'params': [m.e.weight], 'lr': 4e-3, 'weight_decay': .01}, {'params': [p for p in m.parameters() if p.dim() == 1], 'lr': 4e-3, 'weight_decay': 0}], betas=(.9, .97), eps=1e-9); base = [g['lr'] for g in adam.param_groups]
mlr = env('LR', 0.008); END = env('LREND', mlr / 12) / mlr
@torch.no_grad()
def muon(scale, beta=.95): # orthogonalised momentum, all matrices of one shape in a batch
    for (a, b), ps in groups.items():
        G = []
        for p in ps: mo = mom[p]; mo.lerp_(p.grad, 1 - beta); g = p.grad.lerp(mo, beta); G.append(g if g.shape[0] <= g.shape[1] else g.t())
        Z = torch.stack(G); Z = Z / (Z.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
        for _ in range(4): A = Z @ Z.transpose(1, 2); Z = 3.4445 * Z + (-4.7750 * A + 2.0315 * A @ A) @ Z
        for p, z in zip(ps, Z): z = z if p.shape[0] <= p.shape[1] else z.t(); p.mul_(1 - scale * mlr * .02).add_(z, alpha=-scale * mlr * max(1, p.shape[0] / p.shape[1]) ** .5)
def batches():
    while True:
        ix = rng.permutation(N)
        for c in range(0, len(ix), 4000):
            if os.path.getmtime(d + '/off.u32') != stamp: time.sleep(2); load(); print('new corpus', N, flush=True); break # better text arrived while training
            ch = ix[c:c + 4000]; ch = ch[np.argsort(lens[ch] + rng.random(len(ch)), kind='stable')]; bs, cur, mx = [], [], 0
            for j in ch:
                l = max(mx, lens[j])
                if cur and l * (len(cur) + 1) > TOK: bs.append(cur); cur, l = [], lens[j]
                cur.append(j); mx = l
            bs.append(cur); rng.shuffle(bs)
            for b in bs:
                S = int(max(lens[b])); x = np.zeros((len(b), S), np.int64); y = np.zeros((len(b), S), np.int64)
                for r, j in enumerate(b): x[r, :lens[j]] = X[off[j]:off[j + 1]]; y[r, :lens[j]] = Y[off[j]:off[j + 1]]
                yield torch.from_numpy(x), torch.from_numpy(y)
def together(): # both processes must take the same steps
    if PROCS < 2: return
    ps = list(m.parameters()); mine = share[rank]; k = 0
    for p in ps: mine[k:k + p.numel()] = p.grad.flatten(); k += p.numel()
    gate.wait(); mean = share[:, :k].mean(0); k = 0
    for p in ps: p.grad = mean[k:k + p.numel()].view_as(p).clone(); k += p.numel()
    gate.wait()
t0 = time.time(); avg = None; i = n = 0
for x, y in batches():
    if PROCS == 2:
        if rank == 0: share[0, -1] = time.time() - t0
        gate.wait(); fr = float(share[0, -1]) / limit; gate.wait()
    else: fr = (time.time() - t0) / limit
    if fr >= 1: break
    sc = min(1, (i + 1) / 40) * (END + (1 - END) * .5 * (1 + math.cos(math.pi * fr))) # warm up, then a cosine down to LREND at the end of the time
    for g, b in zip(adam.param_groups, base): g['lr'] = b * sc * env('ALR', 0.35)
    loss = m(x, y); adam.zero_grad(); [setattr(p, 'grad', None) for p in mats]; loss.backward(); together(); adam.step(); muon(sc)
    n += x.numel() * PROCS; l = loss.item(); avg = l if avg is None else .97 * avg + .03 * l
    if i % 50 == 0 and rank == 0: print(i, round(avg, 4), f'{time.time() - t0:.0f}s {n / (time.time() - t0):.0f} tok/s', flush=True)
    if i % 300 == 299 and rank == 0: save()
    i += 1
if rank: os._exit(0)
save(); print('done', i, round(avg, 4), n)

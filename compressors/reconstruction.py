import copy
import torch
from torch import Tensor, nn
from compressors.segments import segments
from nas.training.fit import AfterStep

def run(model, x, batch=256):
    with torch.no_grad():
        return torch.cat([model(b) for b in x.split(batch)])

def optimise(model, inputs, wanted, loss, steps, batch, lr, generator, wd=0.0, train_bn=False):
    params=[p for p in model.parameters()]
    opt=torch.optim.AdamW(params, lr=lr, weight_decay=wd, fused=True)
    sched=torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps+1, cycle_momentum=False, pct_start=0.1)
    model.train(train_bn)
    upd=[m for m in model.modules() if isinstance(m,AfterStep)]
    n=len(inputs); order=torch.randperm(n,generator=generator); at=0
    for step in range(steps):
        if at+batch>n: order=torch.randperm(n,generator=generator); at=0
        i=order[at:at+batch]; at+=batch
        opt.zero_grad(set_to_none=True)
        v=loss(model(inputs[i]), wanted[i]); v.backward(); opt.step(); sched.step()
        for m in upd: m.after_step(1.0)
    model.eval()

def kl(T):
    def f(a,b):
        return T*T*nn.functional.kl_div((a/T).log_softmax(1),(b/T).log_softmax(1),log_target=True,reduction='batchmean')
    return f

def blockwise(q, floating, images, *, steps, batch, lr, generator):
    q.eval(); fl=copy.deepcopy(floating).eval()
    q.to(memory_format=torch.channels_last); fl.to(memory_format=torch.channels_last)
    a=b=images
    for s in segments(q, fl):
        target=run(s.floating,b)
        before=float((run(s.quantized,a)-target).square().mean())
        optimise(s.quantized,a,target,nn.functional.mse_loss,steps,batch,lr,generator)
        a=run(s.quantized,a); b=target
        after=float((a-b).square().mean())
        print(f'   seg {before/float(target.var()):.4f} -> {after/float(target.var()):.4f}',flush=True)

def netwise(q, floating, images, *, steps, batch, lr, generator, T=4.0, train_bn=False):
    fl=copy.deepcopy(floating).eval()
    q.to(memory_format=torch.channels_last)
    optimise(q, images, run(fl,images), kl(T), steps,batch,lr,generator,train_bn=train_bn)

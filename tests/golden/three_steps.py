"""What torch computes in three AdamW steps of a language model, for make_models.py and make_adapters.py."""
import torch

ADAMW = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)


def three_steps(model, trained, tokens):
    """Trains `trained` {name: parameter} on token rows [rows, length]; returns by name

    loss.STEP      token-mean cross-entropy before AdamW step 0, 1, 2
    gradient.NAME  of loss.0
    after.NAME     the parameters after three AdamW steps
    """
    found = {}
    optimizer = torch.optim.AdamW(trained.values(), **ADAMW)
    for step in range(3):
        optimizer.zero_grad()
        logits = model(tokens).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))
        loss.backward()
        found[f"loss.{step}"] = loss.detach().reshape(1)
        if step == 0:
            found |= {f"gradient.{k}": p.grad.float().clone() for k, p in trained.items()}
        optimizer.step()
    return found | {f"after.{k}": p.detach().float() for k, p in trained.items()}

"""Long windows are computed piece by piece; that must change nothing but time and memory."""

import torch


def states_and_gradients(net, x, real):
    """States (B, L, D) of real positions, and the gradients of the input and all parameters of a loss over them."""
    x = x.detach().requires_grad_()
    states = net(x, real)[real]
    weight = torch.randn(states.shape, generator=torch.Generator().manual_seed(7), dtype=states.dtype)
    return states, *torch.autograd.grad((states * weight).sum(), (x, *net.parameters()))


def assert_same(found, expected, tolerance=1e-9):
    """Tensor by tensor, absolutely and relatively."""
    for f, e in zip(found, expected, strict=True):
        torch.testing.assert_close(f, e, atol=tolerance, rtol=tolerance)

import torch
from threadpoolctl import threadpool_info

from nas.threads import one_thread


def test_blas_and_torch_run_on_one_thread_and_are_restored() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        pools = [pool["num_threads"] for pool in threadpool_info()]
        with one_thread():
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert torch.get_num_threads() == 2
        assert [pool["num_threads"] for pool in threadpool_info()] == pools
    finally:
        torch.set_num_threads(before)

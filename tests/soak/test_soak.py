"""Many clients, few servers, mixed work, random disconnects and cancels: every answer belongs to its question."""

from __future__ import annotations

from soak import ALL_RIGHT, Watch, assert_nothing_left, growth, run_driver


def test_no_mix_up_no_leak_no_growth(make_proxy, cluster, request):
    option = request.config.getoption
    servers = option("--soak-servers")
    seconds = option("--soak-seconds")
    # Two users and two databases share a node's connections, and no pool gets all of them.
    size = max(1, servers * 2 // 5)
    proxy = make_proxy({"pool": {"size": size, "max_server_connections": servers, "queue_timeout": "50s",
                                 "max_prepared_statements": 50}, "workers": {"threads": option("--soak-workers")}})  # fmt: skip
    with Watch(proxy, cluster) as watch:
        report = run_driver(
            f"{option('--soak-clients')} clients, {servers} servers per node", proxy.port, seconds,
            clients=option("--soak-clients"), think_ms=option("--soak-think-ms"), seed=option("--soak-seed"),
            only=option("--soak-only"),
        )  # fmt: skip
    memory = [sample.rss for sample in watch.samples if sample.second < seconds]
    step = max(1, len(memory) // 20)
    print(f"  most servers of a node   {watch.most_servers()}")
    print("  memory in MB             " + " ".join(f"{rss / 1e6:.1f}" for rss in memory[::step]))
    assert report.exit_code == ALL_RIGHT
    assert watch.most_servers() <= servers
    left = assert_nothing_left(proxy, cluster, size)
    print(f"  left in the pools        {left}")
    grown = growth(memory)
    print(f"  memory, medians          {grown.earlier / 1e6:.1f} MB, then {grown.later / 1e6:.1f} MB")
    if seconds >= 120:  # in a short run pools and caches still fill
        assert grown.flat

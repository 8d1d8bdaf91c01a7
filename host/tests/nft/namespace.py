"""What netfilter does with packets: run in a network namespace of its own, with nft and ip.

Reads a JSON list of cases from the file named first, each with `family`, `rules` (the text of a table) and `packets` (hexadecimal, Ethernet
header first), and writes a list of answers to the file named second: `text` and `json` as nft lists the rules, `seen` (places of the packets
that came to the hook) and `passed` (those that the rules let through), or `refused` with nft's message.

A packet is known by its source address, 02:00:00:00 and its place. Chains of the same hook before and behind the rules
put that address into sets; so a packet that anything else drops is neither passed nor seen.
"""

import json
import os
import socket
import subprocess
import sys
import time

os.environ["PATH"] += ":/usr/sbin:/sbin"

# Where packets are sent, and the device or hook that sees them.
FROM = {"bridge": "send1"}
HOOKS = {
    "netdev": ("netdev", 'ingress device "take0"'),
    "bridge": ("bridge", "prerouting"),
}
DEFAULT_HOOK = ("inet", "prerouting")
SENTINEL = 0xFFFF
WAIT_SECONDS = 20


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def observer(family):
    table, hook = HOOKS.get(family, DEFAULT_HOOK)
    chains = ""
    for name, priority in (("seen", -500), ("passed", 500)):
        chains += f"""
            set {name} {{ type ether_addr; size 65535; flags dynamic; }}
            chain to_{name} {{
                type filter hook {hook} priority {priority}; policy accept;
                add @{name} {{ ether saddr }}
            }}"""
    return f"table {table} observer {{ {chains}\n}}\n"


def mac(place):
    return bytes([2, 0, 0, 0, place >> 8, place & 0xFF])


def places(listing):
    found = {}
    for item in listing["nftables"]:
        if "set" in item:
            addresses = (bytes.fromhex(text.replace(":", "")) for text in item["set"].get("elem", []))
            found[item["set"]["name"]] = {
                address[4] << 8 | address[5] for address in addresses if address[:4] == mac(0)[:4]
            }
    return found


def answer(case, sockets):
    family = case["family"]
    run("nft", "flush", "ruleset")
    try:
        run("nft", "-f", "-", text=case["rules"])
        listed = run("nft", "list", "ruleset")
        # nft leaves out what a reader puts back, not always the same; what it lists is what counts.
        run("nft", "flush", "ruleset")
        run("nft", "-f", "-", text=listed)
    except RuntimeError as error:
        return {"refused": str(error)}
    result = {"text": run("nft", "list", "ruleset"), "json": run("nft", "-j", "list", "ruleset")}
    run("nft", "-f", "-", text=observer(family))
    out = sockets[FROM.get(family, "send0")]
    sentinel = bytes.fromhex(case["sentinel"])
    packets = [(place, bytes.fromhex(packet)) for place, packet in enumerate(case["packets"])]
    for place, packet in packets + [(SENTINEL, sentinel)]:
        out.send(packet[:6] + mac(place) + packet[12:])
    table = HOOKS.get(family, DEFAULT_HOOK)[0]
    end = time.monotonic() + WAIT_SECONDS
    while True:
        found = places(json.loads(run("nft", "-j", "list", "table", table, "observer")))
        if SENTINEL in found["seen"]:
            break
        if time.monotonic() > end:
            raise RuntimeError("the last packet never came to the hook")
        time.sleep(0.01)
    for name in ("seen", "passed"):
        result[name] = sorted(found[name] - {SENTINEL})
    return result


def main():
    # One processor, one queue: packets stay in order.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for one, two, address in (("send0", "take0", "02:ff:00:00:00:01"), ("send1", "take1", "02:ff:00:00:00:02")):
        run("ip", "link", "add", "name", one, "type", "veth", "peer", "name", two, "address", address)
    run("ip", "link", "add", "name", "bridge0", "type", "bridge")
    run("ip", "link", "set", "take1", "master", "bridge0")
    for device in ("send0", "take0", "send1", "take1", "bridge0"):
        run("ip", "link", "set", device, "up")
    sockets = {}
    for device in ("send0", "send1"):
        sockets[device] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sockets[device].bind((device, 0))
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    answers = [answer(case, sockets) for case in cases]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(answers, file)


main()

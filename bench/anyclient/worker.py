"""The same worker in Python, with pika: each reply is published, confirmed and its command acknowledged, one after the other.

One process answers the commands of one queue at a time, as a pika BlockingConnection does; PROCESSES of them share each queue.
"""
import json
import os
import signal
import sys
import time

import pika
import pika.exceptions

PREFIX = os.environ["AMQP_PREFIX"]
SERVICES = ["bench-inventory", "bench-payments", "bench-orders"]
PROCESSES = int(os.environ.get("PROCESSES", "2"))  # of each queue


def answer(channel, method, properties, body):
    data, headers = json.loads(body)["data"], properties.headers
    reply = {"status": "succeeded"}
    code = data.get("simulate", {}).get(headers["saga-step"])
    if code and headers["saga-action"] == "execute":
        reply = {"status": "failed", "error": {"code": code, "message": "as requested by the load", "retryable": False}}
    channel.basic_publish("", properties.reply_to, json.dumps(reply), pika.BasicProperties(
        correlation_id=properties.correlation_id, content_type="application/json", delivery_mode=2))
    channel.basic_ack(method.delivery_tag)


def serve(queue):
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    while True:  # the orchestrator declares the queue with the definition
        channel = connection.channel()
        try:
            channel.queue_declare(queue, passive=True)
            break
        except pika.exceptions.ChannelClosedByBroker:
            time.sleep(0.1)
    channel.confirm_delivery()  # basic_publish then waits for the broker
    channel.basic_qos(prefetch_count=64)
    channel.basic_consume(queue, answer)
    channel.start_consuming()


children = []
for name in SERVICES:
    for _ in range(PROCESSES):
        child = os.fork()
        if child == 0:
            serve(f"{PREFIX}.commands.{name}")
            sys.exit(0)
        children.append(child)


def stop(*_):
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print("working", flush=True)
os.wait()
stop()

"""A worker with nothing but an AMQP client: it charges cards, as the contract's section on AMQP says."""
import json
import os
import sys

import pika

queue = os.environ["AMQP_PREFIX"] + ".commands.payments"
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.basic_qos(prefetch_count=1)


def work(channel, method, properties, body):
    data = json.loads(body)["data"]
    if properties.type == "payments.charge" and data["amount"] > 100:
        reply = {"status": "failed", "error": {"code": "card_declined", "message": "too much", "retryable": False}}
    else:
        reply = {"status": "succeeded", "output": {"by": "python", "key": properties.headers["saga-idempotency-key"]}}
    channel.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        properties=pika.BasicProperties(correlation_id=properties.correlation_id, content_type="application/json"),
        body=json.dumps(reply),
    )
    channel.basic_ack(method.delivery_tag)


channel.basic_consume(queue, work)
print("ready", file=sys.stderr, flush=True)
channel.start_consuming()

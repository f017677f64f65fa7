"""A worker in Python that charges cards and refunds them, each exactly once. Needs pika and psycopg2."""
import json
import os
import time
from datetime import datetime, timezone

import pika
import psycopg2

QUEUE = (os.environ.get("AMQP_PREFIX") or "saga") + ".commands.payments"
LEDGER = "INSERT INTO ledger (key, entry, amount, ref) VALUES (%s, %s, %s, %s) RETURNING id"


def charge(cursor, key, data, _output):
    if data["amount"] > 1000:  # nothing has changed, so this reply can be stored as it is
        return {"status": "failed", "error": {"code": "card_declined", "message": "more than 1000", "retryable": False}}
    cursor.execute(LEDGER, (key, "charge", data["amount"], None))
    return {"status": "succeeded", "output": {"chargeId": cursor.fetchone()[0]}}


def refund(cursor, key, data, output):
    cursor.execute(LEDGER, (key, "refund", -data["amount"], output["chargeId"]))
    return {"status": "succeeded"}


WORK = {"payments.charge": charge, "payments.refund": refund}


def handle(database, name, headers, body):
    """Does the work once, together with the record that it was done. Returns the reply to send, or None if it is too late."""
    key, execution = headers["saga-idempotency-key"], None
    if headers["saga-action"] == "compensate":
        execution = body.get("compensates") or f"{headers['saga-id']}/{headers['saga-step']}/execute"
    elif datetime.now(timezone.utc) > datetime.fromisoformat(headers["saga-deadline"]):
        return None
    with database, database.cursor() as cursor:  # commits, or rolls back after an exception
        cursor.execute("SELECT saga_barrier_begin(%s, %s, %s, %s)", (key, headers["saga-attempt"], execution, body.get("waited", False)))
        begun = cursor.fetchone()[0]
        if begun["verdict"] != "run":
            return begun["reply"]
        reply = WORK[name](cursor, key, body["data"], begun.get("output"))
        cursor.execute("SELECT saga_barrier_end(%s, %s)", (key, json.dumps(reply)))
        return reply


def run():
    database = psycopg2.connect(os.environ["DATABASE_URL"])
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.confirm_delivery()  # basic_publish then waits for the broker
    channel.basic_qos(prefetch_count=8)
    for method, properties, content in channel.consume(QUEUE):
        try:
            reply = handle(database, properties.type, properties.headers, json.loads(content))
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            raise  # whether the work took effect is unknown: the command is delivered again
        except Exception as error:  # it is rolled back. The command becomes a dead letter, which the orchestrator sees
            print("rejected:", repr(error), flush=True)
            channel.basic_reject(method.delivery_tag, requeue=False)
            continue
        while reply:
            try:
                channel.basic_publish("", properties.reply_to, json.dumps(reply), pika.BasicProperties(
                    correlation_id=properties.correlation_id, content_type="application/json", delivery_mode=2))
                break
            except pika.exceptions.NackError:
                connection.sleep(0.5)
        channel.basic_ack(method.delivery_tag)


while True:  # after a lost connection, what was not acknowledged is delivered again
    try:
        run()
    except (pika.exceptions.AMQPError, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        print("connecting again:", repr(error), flush=True)
        time.sleep(1)

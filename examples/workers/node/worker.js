// A worker in JavaScript that reserves goods and releases them, each exactly once. Needs amqplib and pg.
const amqp = require('amqplib');
const { Pool } = require('pg');

const queue = `${process.env.AMQP_PREFIX || 'saga'}.commands.inventory`;
const ledger = 'INSERT INTO ledger (key, entry, amount, ref) VALUES ($1, $2, $3, $4) RETURNING id';
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
pool.on('error', (error) => console.error('an idle connection was lost:', error.message));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const commands = {
  async 'inventory.reserve'(client, key, data) {
    if (data.amount > 1000) { // nothing has changed, so this reply can be stored as it is
      return { status: 'failed', error: { code: 'out_of_stock', message: 'more than 1000', retryable: false } };
    }
    const { rows } = await client.query(ledger, [key, 'reserve', data.amount, null]);
    return { status: 'succeeded', output: { reservationId: Number(rows[0].id) } };
  },
  async 'inventory.release'(client, key, data, output) {
    await client.query(ledger, [key, 'release', -data.amount, output.reservationId]);
    return { status: 'succeeded' };
  },
};

// handle does the work once, together with the record that it was done. It returns the reply to send, or nothing if it is too late.
async function handle(name, headers, body) {
  const key = headers['saga-idempotency-key'], executes = headers['saga-action'] === 'execute';
  if (executes && Date.now() > Date.parse(headers['saga-deadline'])) return undefined;
  const execution = executes ? null : body.compensates || `${headers['saga-id']}/${headers['saga-step']}/execute`;
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query('SELECT saga_barrier_begin($1, $2, $3, $4) AS begun', [key, headers['saga-attempt'], execution, body.waited || false]);
    let { verdict, reply, output } = rows[0].begun;
    if (verdict === 'run') {
      reply = await commands[name](client, key, body.data, output);
      await client.query('SELECT saga_barrier_end($1, $2)', [key, JSON.stringify(reply)]);
    }
    await client.query('COMMIT');
    client.release();
    return reply;
  } catch (error) { // rolled back, or it is unknown whether the commit arrived
    await client.query('ROLLBACK').then(() => client.release(), (lost) => { client.release(lost); error.lost = true; });
    throw error;
  }
}

async function take(channel, { content, properties, ...message }) {
  let reply;
  try {
    reply = await handle(properties.type, properties.headers, JSON.parse(content));
  } catch (error) {
    if (error.lost || error.code?.startsWith('57') || error.code?.startsWith('ECONN')) throw error; // it is delivered again
    console.error('rejected:', error.message); // it becomes a dead letter, which the orchestrator sees
    return channel.reject(message, false);
  }
  const options = { correlationId: properties.correlationId, contentType: 'application/json', persistent: true };
  const send = () => new Promise((resolve) => channel.publish('', properties.replyTo, Buffer.from(JSON.stringify(reply)), options, (refused) => resolve(!refused)));
  while (reply && !await send()) await pause(500);
  return channel.ack(message);
}

async function run() {
  const connection = await amqp.connect(process.env.AMQP_URL);
  const lost = new Promise((_, reject) => connection.on('error', reject).on('close', () => reject(new Error('closed'))));
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(8);
  const failed = new Promise((_, reject) => channel.on('error', reject).consume(queue, (message) => take(channel, message).catch(reject)).catch(reject));
  await Promise.race([lost, failed]).finally(() => connection.close().catch(() => {}));
}

(async () => { // what was not acknowledged is delivered again
  for (;; await pause(1000)) await run().catch((error) => console.error('connecting again:', error.message));
})();

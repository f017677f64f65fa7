// A worker in Java that books shipments and cancels them, each exactly once. Needs amqp-client, the JDBC driver and Gson.
import com.google.gson.*;
import com.rabbitmq.client.*;
import java.net.URI;
import java.sql.*;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

public class Worker {
  static final String QUEUE = System.getenv().getOrDefault("AMQP_PREFIX", "saga") + ".commands.shipping";
  static String work(java.sql.Connection database, String name, String key, JsonObject data, JsonElement output) throws SQLException {
    long amount = data.get("amount").getAsLong();
    boolean books = name.equals("shipping.book");
    if (books && amount > 500) // nothing has changed, so this reply can be stored as it is
      return "{\"status\": \"failed\", \"error\": {\"code\": \"no_carrier\", \"message\": \"more than 500\", \"retryable\": false}}";
    var row = query(database, "INSERT INTO ledger (key, entry, amount, ref) VALUES (?, ?, ?, ?) RETURNING id", key, books ? "book" : "cancel",
        books ? amount : -amount, books ? null : output.getAsJsonObject().get("bookingId").getAsLong());
    return books ? "{\"status\": \"succeeded\", \"output\": {\"bookingId\": " + row.getLong(1) + "}}" : "{\"status\": \"succeeded\"}";
  }
  static ResultSet query(java.sql.Connection database, String text, Object... arguments) throws SQLException {
    var statement = database.prepareStatement(text);
    for (int i = 0; i < arguments.length; i++) statement.setObject(i + 1, arguments[i]);
    var rows = statement.executeQuery();
    return rows.next() ? rows : null;
  }
  /** Does the work once, together with the record that it was done. Returns the reply to send, or null if it is too late. */
  static String handle(java.sql.Connection database, String name, Map<String, Object> headers, JsonObject body) throws SQLException {
    String key = headers.get("saga-idempotency-key").toString(), execution = null;
    if (headers.get("saga-action").toString().equals("compensate"))
      execution = body.has("compensates") ? body.get("compensates").getAsString() : headers.get("saga-id") + "/" + headers.get("saga-step") + "/execute";
    else if (Instant.now().isAfter(Instant.parse(headers.get("saga-deadline").toString()))) return null;
    try { // the first statement begins the transaction
      int attempt = ((Number) headers.get("saga-attempt")).intValue();
      var begun = JsonParser.parseString(query(database, "SELECT saga_barrier_begin(?, ?, ?, ?)", key, attempt, execution, body.has("waited")).getString(1)).getAsJsonObject();
      String reply = begun.has("reply") ? begun.get("reply").toString() : work(database, name, key, body.getAsJsonObject("data"), begun.get("output"));
      if (begun.get("verdict").getAsString().equals("run")) query(database, "SELECT saga_barrier_end(?, ?)", key, reply);
      database.commit();
      return reply;
    } catch (Exception error) {
      database.rollback();
      throw error;
    }
  }
  static void take(java.sql.Connection database, Channel channel, Delivery d) throws java.io.IOException {
    try {
      var command = d.getProperties();
      var reply = handle(database, command.getType(), command.getHeaders(), JsonParser.parseString(new String(d.getBody(), "UTF-8")).getAsJsonObject());
      var properties = new AMQP.BasicProperties.Builder().correlationId(command.getCorrelationId()).contentType("application/json").deliveryMode(2).build();
      for (boolean sent = reply == null; !sent; sent = channel.waitForConfirms()) channel.basicPublish("", command.getReplyTo(), properties, reply.getBytes("UTF-8"));
      channel.basicAck(d.getEnvelope().getDeliveryTag(), false);
    } catch (Exception error) { // a lost database ends the channel; any other command becomes a dead letter, which the orchestrator sees
      System.err.println("failed: " + error);
      if (error instanceof SQLException && String.valueOf(((SQLException) error).getSQLState()).startsWith("08")) throw new java.io.IOException(error);
      channel.basicReject(d.getEnvelope().getDeliveryTag(), false);
    }
  }
  public static void main(String[] none) throws Exception {
    var url = new URI(System.getenv("DATABASE_URL"));
    var user = url.getUserInfo().split(":", 2);
    var factory = new ConnectionFactory();
    factory.setUri(System.getenv("AMQP_URL").replaceFirst("(?<=[^/])/$", "")); // this client reads "/" as an empty virtual host
    for (;; Thread.sleep(1000)) { // what was not acknowledged is delivered again
      try (var database = DriverManager.getConnection("jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath() + "?" + url.getQuery(), user[0], user[1]);
           var broker = factory.newConnection(); var channel = broker.createChannel()) {
        database.setAutoCommit(false);
        channel.confirmSelect();
        channel.basicQos(8);
        var lost = new CountDownLatch(1);
        channel.addShutdownListener(cause -> lost.countDown());
        channel.basicConsume(QUEUE, false, (tag, d) -> take(database, channel, d), tag -> lost.countDown());
        lost.await();
      } catch (Exception error) {
        System.err.println("connecting again: " + error);
      }
    }
  }
}

// An echo backend on Deno's own server. Prints its port.
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, (request) => {
  const offered = request.headers.get("sec-websocket-protocol");
  const { socket, response } = Deno.upgradeWebSocket(request, {
    protocol: offered ? "chat" : undefined,
  });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  socket.onerror = () => {};
  return response;
});

// An echo client on Deno's own WebSocket: URL TOKEN PLACE. Prints "ok", or "refused".
const [url, token, place] = Deno.args;
const target = place === "query" ? `${url}?token=${token}` : url;
const socket = place === "subprotocol"
  ? new WebSocket(target, ["chat", `bearer.${token}`])
  : new WebSocket(target);
socket.binaryType = "arraybuffer";
const messages: (string | Uint8Array)[] = [
  "héllo wörld",
  Uint8Array.from({ length: 256 }, (_, i) => i),
  "x".repeat(60_000),
];
let opened = false;
let received = 0;
const same = (one: unknown, other: string | Uint8Array) =>
  typeof one === "string"
    ? one === other
    : new Uint8Array(one as ArrayBuffer).join() === (other as Uint8Array).join();
socket.onopen = () => {
  opened = true;
  for (const message of messages) socket.send(message as string);
};
socket.onmessage = ({ data }) => {
  if (!same(data, messages[received])) throw new Error(`message ${received} differs`);
  received += 1;
  if (received === messages.length) socket.close(4321, "bye");
};
socket.onerror = () => {};
socket.onclose = ({ code }) => {
  if (!opened) console.log("refused");
  else if (received === messages.length && code === 4321) console.log("ok");
  else throw new Error(`closed with ${code} after ${received} messages`);
};

// A server whose limit is express-rate-limit's.
//
//     node server.js HEADERS LIMIT WINDOW_MS LOG
//
// HEADERS: draft-6, draft-7, draft-8 or legacy. Prints its port when it listens; LOG gets a line
// "STATUS SECONDS" per answer, the time being that of the request.
const fs = require('fs');
const express = require('express');
const { rateLimit } = require('express-rate-limit');

const [headers, limit, windowMs, log] = process.argv.slice(2);
const out = fs.createWriteStream(log);
const app = express();
app.use((req, res, next) => {
    const at = Date.now() / 1000;
    res.on('finish', () => out.write(`${res.statusCode} ${at}\n`));
    next();
});
app.use(rateLimit({
    windowMs: Number(windowMs),
    limit: Number(limit),
    standardHeaders: headers === 'legacy' ? false : headers,
    legacyHeaders: headers === 'legacy',
}));
app.use((req, res) => res.json({ object: 'chat.completion', choices: [] }));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));

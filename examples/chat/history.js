// @ts-check
// The room's memory: the last messages, in an SQLite file.
//
// Why `libsql`: it ships its binaries inside npm packages, so an install neither compiles nor downloads anything by a
// side door, and one Node-API binary serves every Node from 20 on. better-sqlite3, whose API it follows, compiles for a
// minute where its prebuilt file can't be fetched; node-sqlite3-wasm locks with a directory that a killed process leaves
// behind, so that the next start finds the database locked; Node's own node:sqlite isn't in Node 20.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';

/** @typedef {import('./events.js').Message} Message */

export class History {
  /** @type {Database.Database} */ #database;
  #insert;
  #forget;
  #newest;

  /**
   * Opens the file, and creates it with its folder where there is none.
   * @param {string} file a path, or ':memory:'
   * @param {number} [limit] how many messages are kept
   */
  constructor(file, limit = 200) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
    this.#database = new Database(file);
    this.#database.pragma('journal_mode = WAL');
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS messages (
        id   INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        at   INTEGER NOT NULL -- milliseconds since 1970, UTC
      ) STRICT
    `);
    this.#insert = this.#database.prepare('INSERT INTO messages (name, text, at) VALUES (?, ?, ?)');
    this.#forget = this.#database.prepare(`DELETE FROM messages WHERE id <= ? - ${limit}`);
    this.#newest = this.#database.prepare(`SELECT id, name, text, at FROM messages ORDER BY id DESC LIMIT ${limit}`);
  }

  /**
   * Keeps a message and forgets those that are now too old.
   * @param {string} name
   * @param {string} text
   * @param {number} at
   * @returns {Message}
   */
  add(name, text, at) {
    const id = Number(this.#insert.run(name, text, at).lastInsertRowid);
    this.#forget.run(id);
    return { id, name, text, at };
  }

  /**
   * What is kept, oldest first.
   * @returns {Message[]}
   */
  recent() {
    const rows = /** @type {Message[]} */ (this.#newest.all());
    return rows.reverse().map(({ id, name, text, at }) => ({ id, name, text, at }));
  }

  close() {
    this.#database.close();
  }
}

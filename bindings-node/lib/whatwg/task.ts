// "Queue a task": each runs on its own, in order, and what promises and process.nextTick have to do is done after it.

/** Node runs both of these queues behind each callback of setImmediate, as a browser does behind each task. */
export function queueTask(run: () => void): void {
  setImmediate(run);
}

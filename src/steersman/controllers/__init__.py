"""The controllers: each watches what is wanted and what is, and writes what brings the two together.

Theory of operation.  A :class:`~steersman.controllers.manager.ControllerManager` runs the controllers of
:mod:`~steersman.controllers.table`, under upstream's names, on shared informers.  Every controller is built on
:mod:`steersman.controllers.kit`: handlers map objects to keys, a work queue hands each key to one worker at a time,
``reconcile(key)`` reads everything anew, decides (in pure functions), and acts.  Nothing that matters lives in
memory alone: killed at any line and started again, a controller reaches the same world.  What a controller
wrote but does not see yet in its informers it remembers as *expectations*, so that it does not act twice.

A controller that fails as a whole is logged and started anew after a back-off, while the others go on.  With leader
election only the holder of the Lease ``kube-system/kube-controller-manager`` works; losing it stops all at once.
"""

"""From measurements to alarms: baseline, criterion, alarm conditions and their life. PURE.

In the order in which a trial passes: :mod:`settings` (which stimulus it is of), :mod:`criteria`
(where it stands against the baseline that was there before it), :mod:`alarms` and
:mod:`stimulation` (what that does to the alarm conditions), :mod:`learning` (what it adds to a
baseline that still learns); :mod:`tracker` puts them together and takes the operators' commands.
"""

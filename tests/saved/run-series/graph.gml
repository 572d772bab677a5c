graph [
  directed 1
  node [
    id 0
    label "heat"
  ]
  node [
    id 1
    label "flow"
  ]
  node [
    id 2
    label "valve"
  ]
  edge [
    source 0
    target 1
    probability 1.0000000000000002
    lags "1"
  ]
  edge [
    source 1
    target 2
    probability 1.0000000000000002
    lags "0"
  ]
]

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
    source 1
    target 0
    probability 0.6587169016092321
  ]
  edge [
    source 1
    target 2
    probability 0.6590618610725802
  ]
]
